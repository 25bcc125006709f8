//! X-Forwarded-For as proxies write it: with ports, brackets and quotes.

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::json;

use crate::support::{App, PASSWORD, send};

/// The address that susan's session shows after a login with this header.
async fn address_seen(app: &App, forwarded: impl AsRef<[u8]>) -> String {
    let forwarded = HeaderValue::from_bytes(forwarded.as_ref()).unwrap();
    let visitor = app.visitor();
    let form = json!({"username": "susan", "password": PASSWORD});
    let login = visitor
        .request(Method::POST, "/api/login")
        .header("x-forwarded-for", forwarded);
    send(login.json(&form)).await.expect(200);
    let sessions = visitor.get("/api/sessions").await.expect(200).body;
    let current = sessions.as_array().unwrap().iter();
    let current = current.clone().find(|one| one["current"] == true).unwrap();
    current["ip"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_hop_may_have_a_port_brackets_and_quotes() {
    let app = App::with(&["--trusted-proxies=127.0.0.1,10.0.0.0/8,2001:db8:ffff::/48"]).await;
    app.registered("susan").await;
    for (forwarded, expected) in [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("\"192.0.2.1:4711\"", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("\"[2001:db8::1]:443\"", "2001:db8::1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ("198.51.100.9, 192.0.2.1:4711 , 10.0.0.7:80", "192.0.2.1"),
        ("192.0.2.1:4711,\"[2001:db8:ffff::7]:80\"", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.7, ,", "192.0.2.1"),
    ] {
        assert_eq!(address_seen(&app, forwarded).await, expected, "{forwarded}");
    }
}

#[tokio::test]
async fn an_unreadable_hop_ends_the_search() {
    let app = App::with(&["--trusted-proxies=127.0.0.1,10.0.0.0/8"]).await;
    app.registered("susan").await;
    for hop in [
        "",
        "unknown",
        "_hidden",
        "192.0.2.1:",
        "192.0.2.1:99999",
        "192.0.2.1:x",
        "192.0.2.300",
        "[192.0.2.1]",
        "[2001:db8::1",
        "2001:db8::1]:443",
        "\"192.0.2.1",
        "\"\"",
        "\"",
        "[]",
        "192.0.2.1/32",
    ] {
        let forwarded = format!("198.51.100.9, {hop}, 10.0.0.7");
        assert_eq!(address_seen(&app, &forwarded).await, "10.0.0.7", "{hop}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_hide_nothing_to_their_right() {
    let app = App::with(&["--trusted-proxies=127.0.0.1,10.0.0.0/8"]).await;
    app.registered("susan").await;
    for (forwarded, expected) in [
        (&b"\xe9, 192.0.2.1"[..], "192.0.2.1"),
        (b"198.51.100.9\xff, 192.0.2.1, 10.0.0.7", "192.0.2.1"),
        (b"192.0.2.1, \xc3\xa9, 10.0.0.7", "10.0.0.7"),
    ] {
        let seen = address_seen(&app, forwarded).await;
        assert_eq!(seen, expected, "{}", forwarded.escape_ascii());
    }
}
