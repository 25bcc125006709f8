//! What a page asks before anybody logs in, and closed registration.

use serde_json::json;

use crate::support::{App, PASSWORD};

#[tokio::test]
async fn a_page_learns_the_rules_before_anyone_breaks_them() {
    let app = App::with(&[
        "--app-name=Susan's café",
        "--password-min-length=15",
        "--remember-for=10days",
    ])
    .await;
    let config = app.visitor().get("/api/config").await.expect(200).body;
    let expected = json!({
        "app_name": "Susan's café",
        "registration": "open",
        "require_verified_email": false,
        "password": {"min_length": 15, "max_length": 256, "min_score": 2},
        "email_login": false,
        "passkeys": true,
        "providers": [],
        "remember_seconds": 864_000,
        "trust_device_seconds": 2_592_000,
        "reauth_seconds": 900,
    });
    assert_eq!(config, expected);
}

#[tokio::test]
async fn without_a_name_the_app_is_called_as_its_host() {
    let app = App::with(&["--public-url=https://login.example"]).await;
    let config = app.visitor().get("/api/config").await.expect(200).body;
    assert_eq!(config["app_name"], "login.example");
}

#[tokio::test]
async fn an_app_elsewhere_gives_its_host_as_the_name() {
    let app = App::with(&[
        "--app-url=http://app.example:5173",
        "--trusted-origins=http://app.example:5173",
        "--require-verified-email=on",
    ])
    .await;
    let config = app.visitor().get("/api/config").await.expect(200).body;
    assert_eq!(config["app_name"], "app.example");
    assert_eq!(config["require_verified_email"], true);
}

#[tokio::test]
async fn while_registration_is_closed_only_operators_add_users() {
    let app = App::with(&["--registration=closed"]).await;
    let visitor = app.visitor();
    let config = visitor.get("/api/config").await.expect(200).body;
    assert_eq!(config["registration"], "closed");
    let form = json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD});
    let refused = visitor.post("/api/register", form).await;
    refused.refused(403, "registration_closed");
    let invalid = visitor.post("/api/register", json!({})).await;
    invalid.refused(403, "registration_closed");
    assert_eq!(app.count("select count(*) from users").await, 0);

    let open = app.sibling(&[]).await;
    open.registered("susan").await;
    visitor.log_in("susan").await.expect(200);
}
