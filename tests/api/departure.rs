//! Taking one's data along, and leaving for good.

use serde_json::{Value, json};

use crate::outbox::forgot;
use crate::recovery::with_mail;
use crate::support::smtp::Mode;
use crate::support::{App, PASSWORD, field_codes, send};
use reqwest::Method;

/// Every table with its rows as text.
pub async fn dump(app: &App) -> String {
    let tables = app
        .sql("select tablename from pg_tables where schemaname = 'public' order by 1")
        .await;
    let mut all = String::new();
    for table in tables {
        let name = table[0].clone().unwrap();
        for row in app.sql(&format!("select t::text from {name} t")).await {
            all.push_str(&format!("{name}: {}\n", row[0].clone().unwrap_or_default()));
        }
    }
    all
}

/// The tables that hold a row of this user.
async fn tables_of(app: &App, id: &str) -> Vec<String> {
    let columns = app
        .sql("select table_name from information_schema.columns where table_schema = 'public' and column_name = 'user_id' order by 1")
        .await;
    let mut found = Vec::new();
    for column in columns {
        let table = column[0].clone().unwrap();
        let count = format!("select count(*) from {table} where user_id = '{id}'");
        if app.count(&count).await > 0 {
            found.push(table);
        }
    }
    found
}

/// F13.
#[tokio::test]
async fn the_export_has_a_row_of_every_table_and_no_secret() {
    let (app, smtp) = with_mail(&[]).await;
    smtp.set(Mode::Greylist);
    let susan = app.logged_in("susan").await;
    app.sql("insert into user_roles (user_id, role) select id, 'editor' from users")
        .await;
    susan.add_passkey().await;
    let challenge = susan.passkey_options("reauthenticate").await["challenge"].clone();
    app.registered("miguel").await;
    crate::support::wait_until("a link is valid and its mail waits", async || {
        app.count("select count(*) from tokens join mails using (id) where last_error is not null")
            .await
            >= 1
    })
    .await;
    let reply = susan.get("/api/me/export").await.expect(200);
    assert!(
        reply
            .header("content-disposition")
            .starts_with("attachment;")
    );
    let export = reply.body;
    let id = export["user"]["id"].as_str().unwrap();
    assert_eq!(export["user"]["email"], "susan@example.com");
    let tables = tables_of(&app, id).await;
    let known =
        "challenges known_networks mails passkeys security_events sessions tokens user_roles";
    assert_eq!(tables.join(" "), known);
    let keys = "challenges known_networks mails passkeys events sessions links roles";
    for key in keys.split(' ') {
        let rows = export[key].as_array().unwrap();
        assert!(!rows.is_empty(), "{key}");
    }
    for key in ["identities", "access_tokens", "trusted_devices"] {
        assert_eq!(export[key], json!([]));
    }
    let text = export.to_string();
    let secrets = app.sql("select password_hash from users union all select encode(key_hash, 'hex') from sessions \
                           union all select encode(token_hash, 'hex') from tokens").await;
    assert!(secrets.len() >= 4);
    for secret in secrets {
        assert!(!text.contains(secret[0].as_deref().unwrap()));
    }
    assert!(!text.contains(challenge.as_str().unwrap()));
    assert_eq!(export["challenges"][0]["purpose"], "reauthentication");
    assert_eq!(export["passkeys"][0]["domain"], "localhost");
    assert!(!text.contains("miguel"), "of nobody else");
    assert_eq!(export["events"][0]["kind"], "data_exported");
}

/// F13.
#[tokio::test]
async fn a_deleted_account_leaves_no_trace_in_any_table() {
    let (app, smtp) = with_mail(&["--rate-limits=on"]).await;
    let susan = app.logged_in("susan").await;
    let miguel = app.logged_in("miguel").await;
    smtp.wait_for(2).await;
    susan.add_passkey().await;
    susan.passkey_options("registration").await;
    smtp.set(Mode::Greylist);
    forgot(&app.visitor(), "Susan@example.com").await;
    let change = json!({"current_password": PASSWORD, "new_password": "seven-Boats-under-9-moons"});
    susan.post("/api/password/change", change).await.expect(200);
    let id = susan.get("/api/me").await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();

    for (form, code) in [
        (json!({"username": "miguel"}), "username: mismatch"),
        (json!({"username": 7}), "username: invalid"),
    ] {
        // The body wins over the query.
        let asked = susan.request(Method::DELETE, "/api/me?username=susan");
        let refused = send(asked.json(&form)).await;
        assert_eq!(
            field_codes(&refused.refused(422, "validation_failed").body),
            [code]
        );
    }
    susan.delete("/api/me?username=susan").await.expect(204);
    susan.get("/api/me").await.expect(401);
    let text = dump(&app).await.to_lowercase();
    for trace in [&*id, "susan"] {
        let found: Vec<_> = text.lines().filter(|line| line.contains(trace)).collect();
        assert!(found.is_empty(), "{trace}: {found:?}");
    }
    assert!(miguel.is_logged_in().await);
    app.registered("susan").await;
}

#[tokio::test]
async fn leaving_needs_the_name_and_a_recent_login() {
    let app = App::with(&["--reauth-for=1s"]).await;
    let susan = app.logged_in("susan").await;
    let none = susan.delete("/api/me").await;
    assert_eq!(
        field_codes(&none.refused(422, "validation_failed").body),
        ["username: required"]
    );
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    for path in ["/api/me", "/api/me/export"] {
        let method = if path == "/api/me" {
            Method::DELETE
        } else {
            Method::GET
        };
        let stale = send(susan.request(method, path)).await;
        stale.refused(403, "reauthentication_required");
    }
    let form = json!({"password": PASSWORD});
    susan.post("/api/reauthenticate", form).await.expect(200);
    let form = json!({"username": "SUSAN"});
    let gone = send(susan.request(Method::DELETE, "/api/me").json(&form))
        .await
        .expect(204);
    assert!(
        gone.cookie("latchkey_session")
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(gone.body, Value::Null);
    assert_eq!(app.count("select count(*) from users").await, 0);
}
