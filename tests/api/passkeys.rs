//! Passkeys: adding, listing, renaming and removing them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::authenticator::Authenticator;
use crate::support::{App, Reply, Visitor, field_codes, send, wait_until};

pub async fn list(visitor: &Visitor) -> Value {
    visitor.get("/api/passkeys").await.expect(200).body
}

pub async fn remove(visitor: &Visitor, id: &Value) -> Reply {
    let path = format!("/api/passkeys/{}", id.as_str().unwrap());
    visitor.delete(&path).await
}

async fn rename(visitor: &Visitor, id: &Value, form: Value) -> Reply {
    let path = format!("/api/passkeys/{}", id.as_str().unwrap());
    send(visitor.request(Method::PATCH, &path).json(&form)).await
}

#[tokio::test]
async fn a_browser_is_asked_for_a_passkey_that_it_finds_by_itself_and_that_verifies_its_user() {
    let app = App::with(&["--app-name=Susan's café"]).await;
    let susan = app.logged_in("susan").await;
    let me = susan.get("/api/me").await.expect(200).body;
    let asked = susan
        .post("/api/passkeys/registration/options", json!({}))
        .await;
    let options = asked.expect(200).body["options"].clone();
    assert_eq!(
        options["rp"],
        json!({"id": "localhost", "name": "Susan's café"})
    );
    assert_eq!(options["user"]["name"], "susan");
    assert_eq!(options["user"]["displayName"], "susan");
    let selection = json!({"residentKey": "required", "requireResidentKey": true, "userVerification": "required"});
    assert_eq!(options["authenticatorSelection"], selection);
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["timeout"], 300_000);
    let algorithms = options["pubKeyCredParams"].as_array().unwrap();
    let algorithms: Vec<_> = algorithms
        .iter()
        .map(|one| one["alg"].as_i64().unwrap())
        .collect();
    assert_eq!(algorithms, [-7, -35, -257]);
    assert_eq!(options["excludeCredentials"], json!([]));
    assert_eq!(options["challenge"].as_str().unwrap().len(), 43, "32 bytes");
    let handle = list(&susan).await["user_handle"].clone();
    assert_eq!(options["user"]["id"], handle);
    assert_ne!(handle, me["id"]);

    let device = susan.add_passkey().await;
    let options = susan.passkey_options("registration").await;
    let excluded = options["excludeCredentials"].as_array().unwrap();
    assert_eq!(excluded.len(), 1);
    assert_eq!(excluded[0]["transports"], json!(["hybrid", "internal"]));
    assert_eq!(
        list(&susan).await["passkeys"][0]["credential_id"],
        excluded[0]["id"]
    );
    assert!(!device.credential_id.is_empty());
}

#[tokio::test]
async fn a_passkey_is_added_listed_renamed_and_removed() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let options = susan.passkey_options("registration").await;
    let (_, credential) = Authenticator::create(&options);
    let form = json!({"credential": credential, "name": " My phone "});
    let added = susan.post("/api/passkeys/registration/verify", form).await;
    let added = added.expect(201).body;
    assert_eq!(added["name"], "My phone");
    assert_eq!(added["credential_id"], credential["id"]);
    assert_eq!(added["transports"], json!(["hybrid", "internal"]));
    assert_eq!(added["aaguid"], "abababab-abab-abab-abab-abababababab");
    assert_eq!(
        (&added["synced"], &added["usable"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(added["last_used_at"], Value::Null);

    let listed = list(&susan).await;
    assert_eq!(listed["rp_id"], "localhost");
    assert_eq!(listed["passkeys"], json!([added]));
    let id = &added["id"];
    let renamed = rename(&susan, id, json!({"name": "Old phone"})).await;
    assert_eq!(renamed.expect(200).body["name"], "Old phone");
    for bad in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "x".repeat(65)}),
        json!({"name": 1}),
    ] {
        rename(&susan, id, bad)
            .await
            .refused(422, "validation_failed");
    }

    assert_eq!(
        remove(&susan, id).await.expect(200).body,
        json!({"revoked": 0})
    );
    assert_eq!(list(&susan).await["passkeys"], json!([]));
    remove(&susan, id).await.refused(404, "item_not_found");
    let events = susan.get("/api/me/events").await.expect(200).body;
    let kinds: Vec<_> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["kind"])
        .collect();
    assert_eq!(
        kinds[..2],
        [&json!("passkey_removed"), &json!("passkey_added")]
    );
}

#[tokio::test]
async fn nobody_sees_or_changes_the_passkeys_of_somebody_else() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    susan.add_passkey().await;
    let before = list(&susan).await;
    let id = &before["passkeys"][0]["id"];
    let miguel = app.logged_in("miguel").await;
    assert_eq!(list(&miguel).await["passkeys"], json!([]));
    let theirs = rename(&miguel, id, json!({"name": "Mine"})).await;
    theirs.refused(404, "item_not_found");
    remove(&miguel, id).await.refused(404, "item_not_found");
    remove(&susan, &json!("susan"))
        .await
        .refused(404, "item_not_found");
    assert_eq!(list(&susan).await, before);
}

#[tokio::test]
async fn without_a_name_a_passkey_is_called_like_the_browser() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let chrome =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36";
    for (user_agent, name) in [(chrome, "Chrome, Linux"), ("<b>x</b>", "Passkey")] {
        let options = susan.passkey_options("registration").await;
        let (_, credential) = Authenticator::create(&options);
        let asked = susan.request(Method::POST, "/api/passkeys/registration/verify");
        let asked = asked.header("user-agent", user_agent);
        let added = send(asked.json(&json!({"credential": credential}))).await;
        assert_eq!(added.expect(201).body["name"], name);
    }
}

#[tokio::test]
async fn other_sessions_end_when_a_passkey_goes_and_stay_when_one_comes_unless_told_otherwise() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let log_in = async || {
        let other = app.visitor();
        other.log_in("susan").await.expect(200);
        other
    };
    let other = log_in().await;
    susan.add_passkey().await;
    assert!(other.is_logged_in().await);
    let options = susan.passkey_options("registration").await;
    let (_, credential) = Authenticator::create(&options);
    let form = json!({"credential": credential, "end_other_sessions": true});
    let added = susan.post("/api/passkeys/registration/verify", form).await;
    added.expect(201);
    assert!(!other.is_logged_in().await && susan.is_logged_in().await);

    let passkeys = list(&susan).await["passkeys"].clone();
    let other = log_in().await;
    let path = |n: usize| format!("/api/passkeys/{}", passkeys[n]["id"].as_str().unwrap());
    let kept = susan.request(Method::DELETE, &path(0));
    let kept = send(kept.json(&json!({"end_other_sessions": false}))).await;
    assert_eq!(kept.expect(200).body, json!({"revoked": 0}));
    assert!(other.is_logged_in().await);
    let gone = susan.delete(&path(1)).await.expect(200);
    assert_eq!(gone.body, json!({"revoked": 1}));
    assert!(!other.is_logged_in().await && susan.is_logged_in().await);
}

#[tokio::test]
async fn adding_and_removing_need_a_recent_login() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    susan.add_passkey().await;
    let id = list(&susan).await["passkeys"][0]["id"].clone();
    let options = susan.passkey_options("registration").await;
    let (_, credential) = Authenticator::create(&options);
    app.sql("update sessions set authenticated_at = now() - interval '1 day'")
        .await;
    wait_until("the login is old", async || {
        let asked = susan
            .post("/api/passkeys/registration/options", json!({}))
            .await;
        asked.status == 403
    })
    .await;
    let stale = |reply: Reply| drop(reply.refused(403, "reauthentication_required"));
    stale(
        susan
            .post("/api/passkeys/registration/options", json!({}))
            .await,
    );
    stale(susan.register_passkey(&credential).await);
    stale(remove(&susan, &id).await);
    stale(remove(&susan, &json!("nobody")).await);
    rename(&susan, &id, json!({"name": "Mine"}))
        .await
        .expect(200);
    assert_eq!(list(&susan).await["passkeys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_credential_is_refused_field_by_field() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let verify = async |form: Value| {
        let refused = susan.post("/api/passkeys/registration/verify", form).await;
        field_codes(&refused.refused(422, "validation_failed").body)
    };
    assert_eq!(verify(json!({})).await, ["credential: required"]);
    for nonsense in [
        json!("x"),
        json!(1),
        json!([]),
        json!({}),
        json!({"id": "x", "type": "public-key"}),
    ] {
        let codes = verify(json!({"credential": nonsense})).await;
        assert_eq!(codes, ["credential: incorrect"]);
    }
    let codes = verify(json!({"name": "", "end_other_sessions": "yes"})).await;
    let all = [
        "credential: required",
        "end_other_sessions: invalid",
        "name: required",
    ];
    assert_eq!(codes, all);
}

#[tokio::test]
async fn where_passkeys_are_off_nobody_adds_one_or_logs_in_with_one_but_the_list_stays() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    susan.add_passkey().await;
    for flags in [["--passkeys=off"], ["--public-url=http://127.0.0.1:8080"]] {
        let off = app.sibling(&flags).await;
        let susan = susan.at(off.address);
        let config = susan.get("/api/config").await.expect(200).body;
        assert_eq!(config["passkeys"], false);
        for path in [
            "registration/options",
            "registration/verify",
            "authentication/options",
        ] {
            let form = json!({"credential": {}});
            let refused = susan.post(&format!("/api/passkeys/{path}"), form).await;
            refused.refused(404, "not_found");
        }
        let listed = list(&susan).await;
        assert_eq!(listed["rp_id"], Value::Null);
        assert_eq!(listed["passkeys"][0]["usable"], false);
        let id = &listed["passkeys"][0]["id"];
        rename(&susan, id, json!({"name": "Old"})).await.expect(200);
    }
}
