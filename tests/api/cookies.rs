//! The session cookie: attributes, lifetimes, and bad cookies.

use actix_web::http::header::{COOKIE, HeaderMap};
use latchkey::domain::client::Devices;
use latchkey::http::session::cookies::Cookies;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::support::proxy::Line;
use crate::support::{App, PASSWORD, Reply, SECRET_KEY, send};

const OLD_KEY: &str = "the-key-of-last-year-0123456789-abcdef";
const OLD_KEYS: &str =
    "--secret-key-old=the-key-before-that-0123456789-abcdef,the-key-of-last-year-0123456789-abcdef";

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
async fn cookies_of_other_apps_never_hide_ours() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    for neighbour in [
        &b"theme=gr\xfcn"[..],
        "x=\u{fc}\u{20ac}".as_bytes(),
        b"\xff",
        b"=",
    ] {
        let good = susan.log_in("susan").await.expect(200).session_cookie();
        let shown = neighbour.escape_ascii();
        let both = [neighbour, b"; ", good.as_bytes(), b"; y=\xfe"].concat();
        let ask = async |method: Method, path: &str| {
            let request = app.visitor().request(method, path);
            send(request.header("cookie", HeaderValue::from_bytes(&both).unwrap())).await
        };
        let me = ask(Method::GET, "/api/me").await;
        assert_eq!(me.status, 200, "{shown}");
        let logout = ask(Method::POST, "/api/logout").await.expect(204);
        let removal = logout.cookie("latchkey_session").expect("a removal");
        assert!(removal.contains("Max-Age=0"), "{shown}: {removal}");
        let me = ask(Method::GET, "/api/me").await;
        me.refused(401, "not_authenticated");
        susan.log_out().await.expect(204);
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

/// A request with this cookie and no other.
async fn ask(app: &App, method: Method, path: &str, cookie: &str, form: Value) -> Reply {
    let request = app.visitor().request(method, path);
    send(request.header("cookie", cookie).json(&form)).await
}

/// The session cookie as it was before the secret key changed.
fn signed_before(cookie: &str) -> String {
    Cookies::new(OLD_KEY, false).signed(&cookie[cookie.len() - 64..])
}

#[tokio::test]
async fn after_a_change_of_the_secret_key_sessions_continue_and_are_signed_again() {
    let app = App::with(&[OLD_KEYS]).await;
    for (name, remember_me) in [("susan", false), ("miguel", true)] {
        let form = json!({"username": name, "password": PASSWORD, "remember_me": remember_me});
        let login = app.registered(name).await.post("/api/login", form).await;
        let now = login.session_cookie();
        let before = signed_before(&now);
        assert_ne!(before, now);
        let me = async |cookie: &str| ask(&app, Method::GET, "/api/me", cookie, Value::Null).await;
        let reply = me(&before).await.expect(200);
        assert_eq!(reply.session_cookie(), now);
        let mut kept = attributes(&reply, "latchkey_session");
        let max_age = kept.iter().position(|one| one.starts_with("Max-Age="));
        let max_age = max_age.map(|at| kept.remove(at)["Max-Age=".len()..].parse::<u32>().unwrap());
        assert_eq!(kept, ["HttpOnly", "Path=/", "SameSite=Lax"]);
        assert_eq!(max_age.is_some(), remember_me);
        assert!(max_age.is_none_or(|seconds| (2_591_900..=2_592_000).contains(&seconds)));
        let reply = me(&now).await.expect(200);
        assert_eq!(reply.cookie("latchkey_session"), None);
        let foreign = Cookies::new("nobodys-key-0123456789-abcdefghijkl", false);
        let foreign = foreign.signed(&now[now.len() - 64..]);
        me(&foreign).await.refused(401, "not_authenticated");
    }
}

#[tokio::test]
async fn with_a_cookie_under_an_old_secret_key_sessions_are_renewed_and_ended() {
    let app = App::with(&[OLD_KEYS]).await;
    let susan = app.registered("susan").await;
    let login = async || susan.log_in("susan").await.expect(200).session_cookie();
    let before = signed_before(&login().await);
    let me = async |cookie: &str| ask(&app, Method::GET, "/api/me", cookie, Value::Null).await;
    let proof = json!({"password": PASSWORD});
    let reply = ask(&app, Method::POST, "/api/reauthenticate", &before, proof).await;
    let renewed = reply.expect(200).session_cookie();
    me(&before).await.refused(401, "not_authenticated");
    me(&renewed).await.expect(200);
    let before = signed_before(&renewed);
    let reply = ask(&app, Method::POST, "/api/logout", &before, json!({})).await;
    let reply = reply.expect(204);
    let removal = reply.cookie("latchkey_session").expect("a removal");
    assert!(removal.contains("Max-Age=0"), "{removal}");
    me(&renewed).await.refused(401, "not_authenticated");
}

#[tokio::test]
async fn after_a_change_of_the_secret_key_browsers_are_still_known() {
    let app = App::with(&["--rate-limits=on", OLD_KEYS]).await;
    let susan = app.logged_in("susan").await;
    let id = susan.get("/api/me").await.body["id"].clone();
    let now = app.count("select extract(epoch from now())::bigint").await;
    let now = chrono::DateTime::from_timestamp(now, 0).unwrap();
    let devices = Devices::default();
    let devices = devices.with(id.as_str().unwrap().parse().unwrap(), 0, now);
    let devices = devices.unwrap();
    let device = |key| {
        let cookie = Cookies::new(key, false).signed_devices(&devices);
        cookie.stripped().encoded().to_string()
    };
    let log_in = async |cookie: &str, password: &str| {
        let request = app.visitor().request(Method::POST, "/api/login");
        let request = request.header("cookie", cookie);
        let form = json!({"username": "susan", "password": password});
        send(request.json(&form)).await
    };
    // Strangers have used up their attempts, also those from this network.
    app.sql("delete from known_networks").await;
    while log_in("", "wrong-Password-9").await.status == 401 {}
    log_in("", PASSWORD).await.refused(429, "rate_limited");
    let reply = log_in(&device(OLD_KEY), PASSWORD).await.expect(200);
    let again = reply.cookie("latchkey_device").expect("a device cookie");
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, again.split(';').next().unwrap().parse().unwrap());
    let known = Cookies::new(SECRET_KEY, false).devices(&headers);
    assert_ne!(known.to_string(), Devices::default().to_string());
}

#[tokio::test]
async fn cookies_are_signed_again_while_the_session_cache_is_closed() {
    let (app, _proxy) = App::behind_proxy(Line::Deaf, &[OLD_KEYS]).await;
    let login = app.registered("susan").await.log_in("susan").await;
    let now = login.session_cookie();
    let before = signed_before(&now);
    let reply = ask(&app, Method::GET, "/api/me", &before, Value::Null).await;
    assert_eq!(reply.expect(200).session_cookie(), now);
}
