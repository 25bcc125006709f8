//! Which pages may use the API.

use reqwest::Method;
use serde_json::json;

use crate::support::{App, PASSWORD, Visitor, send};

const TRUSTED: &str = "https://app.example";

async fn login_with(visitor: &Visitor, headers: &[(&str, &str)]) -> crate::support::Reply {
    let mut request = visitor.request(Method::POST, "/api/login");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.json(&json!({"username": "susan", "password": PASSWORD}))).await
}

#[tokio::test]
async fn pages_of_other_sites_are_refused_before_any_effect() {
    let app = App::with(&["--trusted-origins=https://app.example"]).await;
    app.registered("susan").await;
    let foreign: &[&[(&str, &str)]] = &[
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        &[
            ("sec-fetch-site", "same-site"),
            ("origin", "https://other.app.example"),
        ],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "nonsense")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "https://app.example.evil.example")],
        &[("origin", "http://app.example")],
        &[("origin", "https://app.example:8443")],
    ];
    for headers in foreign {
        let reply = login_with(&app.visitor(), headers)
            .await
            .refused(403, "cross_origin_request");
        let detail = reply.body["detail"].as_str().unwrap();
        assert!(
            detail.contains("Origin") || detail.contains("Sec-Fetch-Site"),
            "{detail}"
        );
        assert!(reply.cookie("latchkey_session").is_none());
    }
    assert_eq!(app.count("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn our_own_pages_trusted_pages_and_programs_pass() {
    let app = App::with(&["--trusted-origins=https://app.example"]).await;
    app.registered("susan").await;
    let own = format!("http://{}", app.address);
    let passing: &[&[(&str, &str)]] = &[
        &[],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", TRUSTED)],
        &[("origin", TRUSTED)],
        &[("origin", &own)],
        &[("origin", "http://localhost:8080")],
    ];
    for headers in passing {
        login_with(&app.visitor(), headers).await.expect(200);
    }
}

#[tokio::test]
async fn only_a_trusted_page_may_read_responses() {
    let app = App::with(&["--trusted-origins=https://app.example"]).await;
    let visitor = app.visitor();
    let reply = send(
        visitor
            .request(Method::GET, "/api/errors")
            .header("origin", TRUSTED),
    )
    .await
    .expect(200);
    assert_eq!(reply.header("access-control-allow-origin"), TRUSTED);
    assert_eq!(reply.header("access-control-allow-credentials"), "true");
    assert_eq!(reply.header("vary"), "Origin");
    for origin in ["https://evil.example", "null", "https://APP.example", "*"] {
        let reply = send(
            visitor
                .request(Method::GET, "/api/errors")
                .header("origin", origin),
        )
        .await
        .expect(200);
        assert_eq!(reply.header("access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test]
async fn preflights_succeed_for_trusted_pages_only() {
    let app = App::with(&["--trusted-origins=https://app.example"]).await;
    let visitor = app.visitor();
    let preflight = |origin: &'static str| {
        let request = visitor
            .request(Method::OPTIONS, "/api/login")
            .header("origin", origin);
        send(request.header("access-control-request-method", "POST"))
    };
    let reply = preflight(TRUSTED).await.expect(204);
    assert_eq!(reply.header("access-control-allow-origin"), TRUSTED);
    assert_eq!(reply.header("access-control-allow-headers"), "Content-Type");
    assert!(
        reply
            .header("access-control-allow-methods")
            .contains("DELETE")
    );
    let refused = preflight("https://evil.example")
        .await
        .refused(403, "cross_origin_request");
    assert_eq!(refused.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn wildcards_and_paths_are_not_origins() {
    use clap::Parser;
    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: latchkey::config::Settings,
    }
    for bad in [
        "*",
        "https://*.example",
        "https://app.example/path",
        "app.example",
        "ftp://app.example",
        "null",
    ] {
        assert!(
            Arguments::try_parse_from(["latchkey", "--trusted-origins", bad]).is_err(),
            "{bad}"
        );
    }
    let good = Arguments::try_parse_from([
        "latchkey",
        "--trusted-origins",
        "https://APP.example:443,http://localhost:5173",
    ]);
    assert_eq!(
        good.unwrap().settings.trust.trusted_origins,
        ["https://app.example", "http://localhost:5173"]
    );
}

#[tokio::test]
async fn every_response_has_the_common_headers_and_never_echoes_host() {
    let app = App::start().await;
    let visitor = app.visitor();
    for path in ["/api/me", "/api/errors", "/health/live", "/api/none"] {
        let request = visitor
            .request(Method::GET, path)
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example");
        let reply = send(request).await;
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
        assert_eq!(
            reply.header("content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert_eq!(reply.header("server"), "");
        let everything = format!("{:?} {}", reply.headers, reply.body);
        assert!(!everything.contains("evil"), "{everything}");
    }
}
