//! `next` and `login_url` lead only to pages of this site.

use latchkey::domain::next::safe_next;
use proptest::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::support::{App, PASSWORD, Reply, send};

fn site() -> Url {
    Url::parse("http://localhost:8080").unwrap()
}

#[test]
fn paths_of_the_site_are_kept() {
    for next in [
        "/",
        "/profile",
        "/a/b?c=d&e=/f#g",
        "/search?q=http://x",
        "/%C3%A4",
        "/a//b",
        "/notes?text=a%0ab&tab=%09#%0d",
        "/100%25",
        "/files/a%2fb%5cc",
        "/tea%20%26%20cake/%252e",
    ] {
        assert_eq!(safe_next(&site(), next).as_deref(), Some(next));
    }
    assert_eq!(safe_next(&site(), "/a/../b").as_deref(), Some("/b"));
}

#[test]
fn everything_else_is_rejected() {
    let hostile = [
        "",
        "profile",
        "//evil.com",
        "///evil.com",
        "/\\evil.com",
        "\\/evil.com",
        "\\\\evil.com",
        "/\t/evil.com",
        "/\n/evil.com",
        "\t//evil.com",
        " //evil.com",
        "http://evil.com",
        "https:evil.com",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://localhost:8080/x",
        "//localhost:8080/x",
        "/..//evil.com",
        "/.//evil.com",
        "/a/..//evil.com",
        "/%2fevil.com",
        "/%2F%2Fevil.com",
        "/%5cevil.com",
        "/%5C/evil.com",
        "//user@evil.com",
        "@evil.com",
        "/\0",
        "/\u{7f}",
        "?x",
        "#x",
        "/..//\\evil.com",
        "/./\\evil.com",
        "http:///evil.com",
        "http:\\\\evil.com",
        "///\t/evil.com",
    ];
    for next in hostile {
        assert_eq!(safe_next(&site(), next), None, "{next:?}");
    }
    assert_eq!(safe_next(&site(), &format!("/{}", "a".repeat(3000))), None);
}

/// Browsers drop tab, CR and LF before they parse a URL, and an app or a proxy may decode more than once.
#[test]
fn paths_that_decode_to_another_site_are_rejected_at_any_depth() {
    let hostile = [
        "/%09/evil.com",
        "/%0a/evil.com",
        "/%0D/evil.com",
        "/%0d%0a%09/evil.com",
        "/%09%5cevil.com",
        "/%09%2f%2fevil.com",
        "/x%0d%0aset-cookie:a=b",
        "/%00",
        "/%7f",
        "/%c2%85",
        "/%2fevil.com",
        "/%5cevil.com",
        "/..%2f/evil.com",
        "/a/..%2f%2fevil.com",
        "/.%5c%5cevil.com",
    ];
    for once in hostile {
        let mut next = once.to_owned();
        for encodings in 1..40 {
            assert_eq!(
                safe_next(&site(), &next),
                None,
                "{once:?} {encodings} times"
            );
            next = next.replace('%', "%25");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Combines the typical pieces of attacks.
    #[test]
    fn every_result_stays_on_the_site(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "/", "\\", "//", "..", ".", "%2f", "%5c", "%2e", "evil.com", "@", ":", "?", "#", "\t", "\n", "http:", "a", "%00", "%09", "%0a", "%0D", "%25", "%", "\u{3002}", " ", ";",
        ]), 0..12)
    ) {
        let next = pieces.concat();
        if let Some(kept) = safe_next(&site(), &next) {
            let target = site().join(&kept).unwrap();
            prop_assert_eq!(target.origin(), site().origin());
            prop_assert!(kept.starts_with('/') && !kept.starts_with("//") && !kept.contains('\\'));
            prop_assert!(!kept.chars().any(char::is_control));
            let path = target.path();
            let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
            prop_assert_eq!(site().join(&decoded).unwrap().origin(), site().origin());
            prop_assert!(!decoded.chars().any(char::is_control));
            prop_assert_eq!(safe_next(&site(), &kept), Some(kept.clone()), "idempotent");
        }
    }

    #[test]
    fn no_input_panics(next in any::<String>()) {
        let _ = safe_next(&site(), &next);
        let _ = safe_next(&site(), &format!("/{next}"));
    }
}

#[tokio::test]
async fn login_returns_a_safe_next_and_ignores_a_bad_one() {
    let app = App::start().await;
    app.registered("susan").await;
    let cases = [
        (json!("/profile?tab=1"), "/profile?tab=1"),
        (json!("//evil.com"), "/"),
        (json!("/%09/evil.com"), "/"),
        (json!("/%2509/evil.com"), "/"),
        (json!(7), "/"),
        (Value::Null, "/"),
        (json!({"a": 1}), "/"),
    ];
    for (next, expected) in cases {
        let form = json!({"username": "susan", "password": PASSWORD, "next": next});
        let reply = app.visitor().post("/api/login", form).await.expect(200);
        assert_eq!(reply.body["redirect_to"], expected);
    }
    let form = json!({"username": "susan", "password": PASSWORD});
    let reply = app
        .visitor()
        .post("/api/login?next=%2Fsettings", form)
        .await
        .expect(200);
    assert_eq!(reply.body["redirect_to"], "/settings");
}

#[tokio::test]
async fn login_url_leads_back_to_the_page_and_never_to_the_api() {
    let app = App::start().await;
    let visitor = app.visitor();
    let me = |referer: &'static str| {
        send(
            visitor
                .request(Method::GET, "/api/me")
                .header("referer", referer),
        )
    };
    let url = |reply: Reply| reply.body["login_url"].as_str().unwrap().to_owned();
    let nowhere = "/login?next=%2F";
    assert_eq!(url(visitor.get("/api/me?x=1").await), nowhere);
    for (referer, expected) in [
        (
            "http://localhost:8080/cart?id=7",
            "/login?next=%2Fcart%3Fid%3D7",
        ),
        ("http://localhost:8080/apiary", "/login?next=%2Fapiary"),
        ("https://evil.example/x", nowhere),
        ("http://localhost:8080//evil.com", nowhere),
        ("http://localhost:8080/api/me", nowhere),
        ("http://localhost:8080/api", nowhere),
        ("http://localhost:8080/%61pi/me", nowhere),
        ("http://localhost:8080/x/../api/me", nowhere),
    ] {
        assert_eq!(url(me(referer).await), expected, "{referer}");
    }
}

#[tokio::test]
async fn login_url_leads_to_the_login_page_of_the_app() {
    let url = async |pages: &str| {
        let app = App::with(&[&format!("--pages={pages}")]).await;
        let request = app.visitor().request(Method::GET, "/api/me");
        let reply = send(request.header("referer", "http://localhost:8080/cart")).await;
        reply.body["login_url"].as_str().unwrap().to_owned()
    };
    assert_eq!(url("login=/sign-in").await, "/sign-in?next=%2Fcart");
    assert_eq!(
        url("login=/app?view=login").await,
        "/app?view=login&next=%2Fcart"
    );
    assert_eq!(url("account=/me").await, "/login?next=%2Fcart");
}
