//! What the log tells the developers of a page, whose browser tells them nothing.

use reqwest::Method;
use serde_json::json;

use crate::support::PASSWORD;
use crate::support::process::{Process, TempDir, command};
use crate::support::{Visitor, wait_until};

/// A server with somebody who can log in.
async fn server(trusted: &str) -> (TempDir, Process) {
    let data = TempDir::new();
    let mut command = command(&data.0);
    if !trusted.is_empty() {
        command.env("LATCHKEY_TRUSTED_ORIGINS", trusted);
    }
    let process = Process::spawn(&mut command);
    let form = json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD});
    process
        .visitor()
        .post("/api/register", form)
        .await
        .expect(201);
    (data, process)
}

async fn ask(visitor: &Visitor, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = visitor.request(method.clone(), path);
    if method == Method::POST {
        request = request.json(&json!({"username": "susan", "password": PASSWORD}));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

async fn log_in(process: &Process, headers: &[(&str, &str)]) {
    assert_eq!(
        ask(&process.visitor(), Method::POST, "/api/login", headers).await,
        200
    );
}

/// The lines that say this, once at least one does.
async fn told(process: &Process, what: &str) -> Vec<String> {
    let lines = || -> Vec<String> {
        let output = process.output.lock().unwrap();
        let lines = output.lines().filter(|line| line.contains(what));
        lines.map(str::to_owned).collect()
    };
    wait_until(what, async || !lines().is_empty()).await;
    lines()
}

#[tokio::test]
async fn a_trusted_page_on_another_site_is_told_once_that_its_cookie_does_not_come_back() {
    let (_data, process) = server("http://localhost:5173,https://app.example").await;
    let here = format!("http://{}", process.address);
    let public = format!("http://localhost:{}", process.address.port());
    let localhost = [
        ("origin", "http://localhost:5173"),
        ("sec-fetch-site", "cross-site"),
    ];
    for _ in 0..3 {
        log_in(&process, &localhost).await;
    }
    // Its own page, at another name of this machine, in a browser without Sec-Fetch-Site.
    log_in(&process, &[("origin", &public)]).await;
    log_in(
        &process,
        &[
            ("origin", "https://app.example"),
            ("sec-fetch-site", "cross-site"),
        ],
    )
    .await;
    let last = told(&process, "a page of https://app.example logged in").await;
    assert!(last[0].contains("serve both under one domain"), "{last:?}");
    assert!(
        last[0].contains("latchkey doctor --origin https://app.example"),
        "{last:?}"
    );
    for origin in ["http://localhost:5173", &public] {
        let lines = told(&process, &format!("a page of {origin} logged in at {here}")).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].ends_with(&format!("let it call {public}")),
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn a_trusted_page_on_the_same_site_is_told_nothing() {
    let (_data, process) = server("http://localhost:5173").await;
    let host = format!("localhost:{}", process.address.port());
    for site in [Some("same-site"), None] {
        let mut headers = vec![("origin", "http://localhost:5173"), ("host", &*host)];
        headers.extend(site.map(|site| ("sec-fetch-site", site)));
        log_in(&process, &headers).await;
    }
    log_in(&process, &[]).await;
    // Something that is told afterwards, so that the log is complete.
    ask(
        &process.visitor(),
        Method::GET,
        "/api/me",
        &[("origin", "https://last.example")],
    )
    .await;
    told(&process, "https://last.example").await;
    let output = process.output.lock().unwrap().clone();
    assert!(!output.contains("logged in at"), "{output}");
}

#[tokio::test]
async fn an_untrusted_page_that_reads_is_told_once_what_to_set_and_null_is_never_advised() {
    let (_data, process) = server("https://app.example").await;
    let visitor = process.visitor();
    let page = [
        ("origin", "http://localhost:5173"),
        ("sec-fetch-site", "cross-site"),
    ];
    ask(&visitor, Method::GET, "/api/me", &[("origin", "null")]).await;
    ask(
        &visitor,
        Method::GET,
        "/swagger-ui/",
        &[("origin", "https://elsewhere.example")],
    )
    .await;
    for _ in 0..3 {
        assert_eq!(ask(&visitor, Method::GET, "/api/me", &page).await, 401);
    }
    let lines = told(&process, "a page of http://localhost:5173 asked").await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let set = "LATCHKEY_TRUSTED_ORIGINS=https://app.example,http://localhost:5173, or let";
    assert!(lines[0].contains(set), "{lines:?}");
    let output = process.output.lock().unwrap().clone();
    assert!(!output.contains("null"), "{output}");
    assert!(!output.contains("elsewhere.example"), "{output}");
}

#[tokio::test]
async fn a_refused_preflight_says_what_to_set_too() {
    let (_data, process) = server("").await;
    let preflight = [
        ("origin", "http://localhost:5173"),
        ("access-control-request-method", "POST"),
    ];
    let visitor = process.visitor();
    assert_eq!(
        ask(&visitor, Method::OPTIONS, "/api/login", &preflight).await,
        403
    );
    let set = "set LATCHKEY_TRUSTED_ORIGINS=http://localhost:5173, or let";
    assert_eq!(told(&process, set).await.len(), 1);
}

#[tokio::test]
async fn invented_origins_cannot_fill_the_log() {
    let (_data, process) = server("").await;
    let visitor = process.visitor();
    for n in 0..200 {
        let origin = format!("https://{n}.example");
        ask(&visitor, Method::GET, "/api/me", &[("origin", &origin)]).await;
    }
    told(&process, "a page of https://15.example asked").await;
    let output = process.output.lock().unwrap().clone();
    assert_eq!(
        output.matches("LATCHKEY_TRUSTED_ORIGINS=").count(),
        16,
        "{output}"
    );
}

#[tokio::test]
async fn invented_origins_do_not_silence_what_is_told_of_a_trusted_one() {
    let (_data, process) = server("https://app.example").await;
    for number in 0..20 {
        let origin = format!("https://stranger-{number}.example");
        let headers = [("origin", &*origin), ("sec-fetch-site", "cross-site")];
        ask(&process.visitor(), Method::GET, "/api/me", &headers).await;
    }
    let trusted = [
        ("origin", "https://app.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    log_in(&process, &trusted).await;
    told(&process, "a page of https://app.example logged in").await;
    assert_eq!(told(&process, "a page of https://stranger").await.len(), 16);
}
