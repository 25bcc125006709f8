//! Register, log in, be recognized, log out.

use serde_json::json;

use crate::support::{App, PASSWORD, at_once, field_codes};

#[tokio::test]
async fn registering_returns_the_user_and_does_not_log_in() {
    let app = App::start().await;
    let susan = app.visitor();
    let form = json!({"username": "Susan", "email": "Susan@Example.COM", "password": PASSWORD, "password2": PASSWORD});
    let reply = susan.post("/api/register", form).await.expect(201);
    assert_eq!(reply.header("location"), "/api/me");
    assert_eq!(reply.body["username"], "Susan");
    assert_eq!(reply.body["email"], "Susan@example.com");
    assert_eq!(reply.body["email_verified"], false);
    assert_eq!(reply.body["last_login_at"], json!(null));
    assert!(!susan.is_logged_in().await);
    let hash = app.sql("select password_hash from users").await[0][0]
        .clone()
        .unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
}

#[tokio::test]
async fn a_user_logs_in_is_recognized_and_logs_out() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    let login = susan.log_in("susan").await.expect(200);
    assert_eq!(login.body["user"]["username"], "susan");
    assert_eq!(login.body["redirect_to"], "/");
    let me = susan.get("/api/me").await.expect(200);
    assert_eq!(me.body["id"], login.body["user"]["id"]);
    assert_eq!(me.body["session"], login.body["session"]);
    assert_eq!(me.body["last_login_at"], me.body["session"]["created_at"]);
    susan.log_out().await.expect(204);
    susan.get("/api/me").await.refused(401, "not_authenticated");
    assert_eq!(app.count("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn login_accepts_the_username_or_the_email_address_in_any_case() {
    let app = App::start().await;
    app.registered("susan").await;
    for name in ["susan", "SUSAN", "susan@example.com", "Susan@EXAMPLE.com"] {
        app.visitor().log_in(name).await.expect(200);
    }
}

#[tokio::test]
async fn unknown_name_and_wrong_password_get_the_same_response() {
    let app = App::start().await;
    app.registered("susan").await;
    let mut answers = Vec::new();
    for name in [
        "susan",
        "susan@example.com",
        "nobody",
        "nobody@example.com",
        "no such\u{7}name",
        "a@b@c",
    ] {
        let wrong = json!({"username": name, "password": "wrong-Password-9"});
        let mut reply = app
            .visitor()
            .post("/api/login", wrong)
            .await
            .refused(401, "invalid_credentials");
        reply.body["request_id"].take();
        let mut names: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
        names.sort();
        answers.push((reply.body, names));
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn only_the_right_password_reveals_that_an_account_is_disabled() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    app.sql("update users set disabled_at = now()").await;
    susan.log_in("susan").await.refused(403, "account_disabled");
    let wrong = json!({"username": "susan", "password": "wrong-Password-9"});
    susan
        .post("/api/login", wrong)
        .await
        .refused(401, "invalid_credentials");
}

#[tokio::test]
async fn a_logged_in_user_can_neither_register_nor_log_in() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    susan
        .log_in("susan")
        .await
        .refused(409, "already_authenticated");
    let form = json!({"username": "other", "email": "other@example.com", "password": PASSWORD});
    susan
        .post("/api/register", form)
        .await
        .refused(409, "already_authenticated");
    assert_eq!(app.count("select count(*) from users").await, 1);
}

#[tokio::test]
async fn all_field_errors_come_at_once_and_nothing_is_stored() {
    let app = App::start().await;
    app.registered("susan").await;
    let form = json!({"username": "SUSAN", "email": "not-an-address", "password": "short", "password2": "other"});
    let reply = app
        .visitor()
        .post("/api/register", form)
        .await
        .refused(422, "validation_failed");
    let expected = [
        "email: invalid",
        "password: too_short",
        "password2: mismatch",
        "username: taken",
    ];
    assert_eq!(field_codes(&reply.body), expected);
    assert_eq!(reply.body["detail"], "4 fields need attention.");
    assert_eq!(app.count("select count(*) from users").await, 1);
}

#[tokio::test]
async fn both_taken_fields_are_reported_regardless_of_case() {
    let app = App::start().await;
    app.registered("susan").await;
    let form = json!({"username": "sUsAn", "email": "SUSAN@EXAMPLE.COM", "password": PASSWORD});
    let reply = app
        .visitor()
        .post("/api/register", form)
        .await
        .refused(422, "validation_failed");
    assert_eq!(
        field_codes(&reply.body),
        ["email: taken", "username: taken"]
    );
}

#[tokio::test]
async fn one_of_200_simultaneous_registrations_of_a_name_succeeds() {
    let app = App::start().await;
    let visitor = app.visitor();
    let asked = at_once(200, async |n| {
        let form = json!({"username": "susan", "email": format!("susan{n}@example.com"), "password": PASSWORD});
        visitor.post("/api/register", form).await
    })
    .await;
    let mut won = Vec::new();
    for (n, reply) in asked.replies.iter().enumerate() {
        match (reply.status.as_u16(), &field_codes(&reply.body)[..]) {
            (201, _) => won.push(n),
            (422, [name]) if name == "username: taken" => {}
            // A request that got a 503 may have registered all the same. Nobody else uses this address.
            (422, [_, _]) if asked.put_off > 0 => won.push(n),
            _ => panic!("{reply:?}"),
        }
    }
    assert_eq!(won.len(), 1, "{won:?}");
    let kept = app.sql("select email from users").await;
    assert_eq!(kept, [[Some(format!("susan{}@example.com", won[0]))]]);
}

#[tokio::test]
async fn logging_out_without_a_session_succeeds() {
    let app = App::start().await;
    let reply = app.visitor().log_out().await.expect(204);
    assert!(
        reply
            .cookie("latchkey_session")
            .unwrap()
            .contains("Max-Age=0")
    );
    app.visitor()
        .post("/api/logout", json!({}))
        .await
        .expect(204);
}

#[tokio::test]
async fn unknown_fields_have_no_effect() {
    let app = App::start().await;
    let form = json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD,
        "email_verified": true, "id": "00000000-0000-0000-0000-000000000000", "disabled_at": "2020-01-01", "role": "admin"});
    let reply = app.visitor().post("/api/register", form).await.expect(201);
    assert_eq!(reply.body["email_verified"], false);
    assert_ne!(reply.body["id"], "00000000-0000-0000-0000-000000000000");
}
