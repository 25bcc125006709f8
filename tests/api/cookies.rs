//! The session cookie: attributes, lifetimes, and bad cookies.

use reqwest::Method;
use serde_json::json;

use crate::support::{App, PASSWORD, Reply, send};

fn attributes(reply: &Reply, name: &str) -> Vec<String> {
    let cookie = reply.cookie(name).expect("a session cookie");
    let mut attributes: Vec<_> = cookie.split("; ").skip(1).map(ToOwned::to_owned).collect();
    attributes.sort();
    attributes
}

#[tokio::test]
async fn without_remember_me_the_cookie_ends_with_the_browser() {
    let app = App::start().await;
    let reply = app
        .registered("susan")
        .await
        .log_in("susan")
        .await
        .expect(200);
    assert_eq!(
        attributes(&reply, "latchkey_session"),
        ["HttpOnly", "Path=/", "SameSite=Lax"]
    );
    assert_eq!(reply.body["session"]["remembered"], false);
    let life = "select extract(epoch from expires_at - created_at)::int from sessions";
    assert_eq!(app.count(life).await, 24 * 3600);
}

#[tokio::test]
async fn with_remember_me_the_browser_keeps_it_for_30_days() {
    let app = App::start().await;
    let form = json!({"username": "susan", "password": PASSWORD, "remember_me": true});
    let reply = app
        .registered("susan")
        .await
        .post("/api/login", form)
        .await
        .expect(200);
    assert_eq!(
        attributes(&reply, "latchkey_session"),
        ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Lax"]
    );
    let life = "select extract(epoch from expires_at - created_at)::int from sessions";
    assert_eq!(app.count(life).await, 30 * 24 * 3600);
}

#[tokio::test]
async fn https_makes_the_cookie_secure_and_host_bound_and_turns_on_hsts() {
    let app = App::with(&["--public-url=https://login.example"]).await;
    let reply = app
        .registered("susan")
        .await
        .log_in("susan")
        .await
        .expect(200);
    let name = "__Host-latchkey_session";
    assert_eq!(
        attributes(&reply, name),
        ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]
    );
    // Not for subdomains, which Latchkey knows nothing about.
    let hsts = reply.header("strict-transport-security");
    assert_eq!(hsts, "max-age=63072000");
}

#[tokio::test]
async fn bad_cookies_are_anonymous_and_never_block_a_login() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    let good = susan.log_in("susan").await.session_cookie();
    let flipped = format!("{}x", &good[..good.len() - 1]);
    let foreign = format!("latchkey_session={}%3D{}", "A".repeat(43), "0".repeat(64));
    let huge = format!("latchkey_session={}", "a".repeat(6000));
    let doubled = format!("latchkey_session=bad; {good}");
    let bad = [
        "latchkey_session=",
        "latchkey_session",
        "=",
        ";;;",
        &flipped,
        &foreign,
        &huge,
        &doubled,
        "latchkey_session=%00%ff",
        "latchkey_session=\u{e4}\u{20ac}",
    ];
    for cookie in bad {
        let stranger = app.visitor();
        let value = reqwest::header::HeaderValue::from_bytes(cookie.as_bytes()).unwrap();
        let me = stranger
            .request(Method::GET, "/api/me")
            .header("cookie", value.clone());
        send(me).await.refused(401, "not_authenticated");
        let login = json!({"username": "susan", "password": PASSWORD});
        let login = stranger
            .request(Method::POST, "/api/login")
            .header("cookie", value)
            .json(&login);
        send(login).await.expect(200);
    }
}

#[tokio::test]
async fn the_key_in_the_cookie_is_never_stored_or_shown() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    let login = susan.log_in("susan").await;
    let cookie = login.session_cookie();
    let key = &cookie[cookie.len() - 64..];
    let rows = app.sql("select s::text from sessions s").await;
    assert!(!rows[0][0].as_ref().unwrap().contains(key));
    assert!(!login.body.to_string().contains(key));
    let hash = app
        .sql("select encode(key_hash, 'hex') from sessions")
        .await;
    let expected = hex::encode(latchkey::domain::secret::KeyHash::of(key).as_bytes());
    assert_eq!(hash[0][0].as_deref(), Some(expected.as_str()));
}

#[tokio::test]
async fn each_login_has_a_new_key_and_a_logged_out_cookie_is_worthless() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    let first = susan.log_in("susan").await.session_cookie();
    susan.log_out().await.expect(204);
    let second = susan.log_in("susan").await.session_cookie();
    assert_ne!(first, second);
    let replay = app
        .visitor()
        .request(Method::GET, "/api/me")
        .header("cookie", first);
    send(replay).await.refused(401, "not_authenticated");
}

#[tokio::test]
async fn a_cookie_with_a_forged_signature_is_refused() {
    let app = App::start().await;
    let cookie = app
        .registered("susan")
        .await
        .log_in("susan")
        .await
        .session_cookie();
    let (signature, key) = (
        &cookie["latchkey_session=".len()..cookie.len() - 64],
        &cookie[cookie.len() - 64..],
    );
    let other = format!(
        "latchkey_session={}{key}",
        signature.chars().rev().collect::<String>()
    );
    let request = app
        .visitor()
        .request(Method::GET, "/api/me")
        .header("cookie", other);
    send(request).await.refused(401, "not_authenticated");
}
