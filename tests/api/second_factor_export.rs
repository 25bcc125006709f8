//! The second factors among one's data: taken along, and deleted for good.

use serde_json::json;

use crate::departure::dump;
use crate::recovery::with_mail;
use crate::second_factor::{enrol, halfway, protected};
use crate::support::{App, Visitor};

/// Susan, with a row in every table of second factors. And what nobody else may read of it.
async fn susan(app: &App) -> (Visitor, Vec<String>) {
    let susan = app.logged_in("susan").await;
    let app_of = enrol(&susan).await;
    let form = json!({"code": app_of.unused_code(app).await, "trust_device": true});
    let trusted = halfway(app, "susan").await;
    trusted
        .post("/api/login/second-factor", form)
        .await
        .expect(200);
    halfway(app, "susan").await;
    // Somebody else's rows are not hers.
    protected(app, "miguel").await;
    halfway(app, "miguel").await;
    let mut secrets = app_of.recovery_codes;
    secrets.push(app_of.secret);
    (susan, secrets)
}

/// F13.
#[tokio::test]
async fn the_export_has_the_second_factors_and_none_of_their_secrets() {
    let (app, _smtp) = with_mail(&[]).await;
    let (susan, mut secrets) = susan(&app).await;
    let hers = "where user_id = (select id from users where username = 'susan')";
    let stored = &format!(
        "select encode(secret, 'hex') from totp_secrets {hers} union all select encode(salt, 'hex') from recovery_sets {hers} \
        union all select encode(code_hash, 'hex') from recovery_codes {hers} union all select encode(key_hash, 'hex') \
        from login_steps {hers}"
    );
    for row in app.sql(stored).await {
        secrets.extend(row[0].clone());
    }
    assert_eq!(secrets.len(), 10 + 1 + 1 + 1 + 10 + 1);
    let export = susan.get("/api/me/export").await.expect(200).body;
    for (key, rows) in [
        ("totp_secrets", 1),
        ("recovery_sets", 1),
        ("recovery_codes", 10),
        ("trusted_devices", 1),
        ("login_steps", 1),
    ] {
        assert_eq!(export[key].as_array().unwrap().len(), rows, "{key}");
    }
    assert_eq!(export["user"]["second_factor_required"], true);
    assert!(export["totp_secrets"][0]["confirmed_at"].is_string());
    assert_eq!(export["login_steps"][0]["methods"], json!(["password"]));
    assert_eq!(export["trusted_devices"][0]["ip"], "127.0.0.1");
    let sessions = export["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(
        |session| session["factors"] == 2 && session["methods"] == json!(["password", "totp"])
    ));
    let text = export.to_string();
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret}");
    }
}

/// F13.
#[tokio::test]
async fn a_deleted_account_leaves_no_second_factor() {
    let (app, _smtp) = with_mail(&[]).await;
    let (susan, _) = susan(&app).await;
    let miguel = "select id from users where username = 'miguel'";
    let miguel = app.sql(miguel).await[0][0].clone().unwrap();
    let id = susan.get("/api/me").await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(dump(&app).await.contains("totp_secrets: "));
    susan.delete("/api/me?username=susan").await.expect(204);
    let text = dump(&app).await;
    for trace in [
        &*id,
        "susan",
        "totp_secrets: ",
        "recovery_sets: ",
        "recovery_codes: ",
        "trusted_devices: ",
        "login_steps: ",
    ] {
        let found = text.lines().filter(|line| line.contains(trace));
        let found: Vec<_> = found.filter(|line| !line.contains(&miguel)).collect();
        assert!(found.is_empty(), "{trace}: {found:?}");
    }
}
