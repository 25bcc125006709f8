//! Checks without a login: the server answers, the page may call it, and strangers may not.

use serde_json::json;
use ureq::http::Method;

use super::browser::{Answer, Browser};
use super::report::Report;
use super::rules::{may_read, may_send};

/// A reserved name, which nobody can own (RFC 2606).
const STRANGER: &str = "https://stranger.example";

/// Checks that Latchkey answers and is ready.
pub fn server_answers(report: &mut Report, browser: &Browser) -> anyhow::Result<bool> {
    let api = browser.api();
    let ready = match browser.fetch(Method::GET, "/health/ready", None) {
        Ok(ready) => ready,
        Err(error) => {
            return report.bad(
                &format!("Nothing answers at {api}: {error}."),
                "start Latchkey, or set LATCHKEY_PUBLIC_URL or --url to its address",
            );
        }
    };
    if !ready.headers.contains_key("x-request-id") {
        return report.bad(
            &format!(
                "The server at {api} is not Latchkey (status {}, no X-Request-Id).",
                ready.status
            ),
            "let the proxy pass /api and /health on to Latchkey, or correct LATCHKEY_PUBLIC_URL",
        );
    }
    if ready.status != 200 {
        let code = ready.body["code"].as_str().unwrap_or_default();
        return report.bad(
            &format!("Latchkey answers but is not ready: {code}."),
            "see its log; most likely it cannot reach its database",
        );
    }
    report.good("Latchkey answers and is ready.")
}

/// Checks CORS, and the rules that need no request.
pub fn page_may_ask(report: &mut Report, browser: &Browser) -> anyhow::Result<bool> {
    if browser.is_mixed_content() {
        report.bad(
            "The page is https and the server is not: browsers block its requests (mixed content).",
            "put a proxy with TLS in front of Latchkey, and set LATCHKEY_PUBLIC_URL to its https address",
        )?;
    }
    if browser.is_same_origin() {
        return report
            .good("Page and server have one origin: no preflight, no CORS, nothing to set.");
    }
    let preflights = [
        (Method::POST, "/api/login"),
        (Method::DELETE, "/api/sessions"),
    ];
    let mut succeed = true;
    for (method, path) in preflights {
        // The second most likely fails for the same reason.
        succeed = succeed && preflight_succeeds(report, browser, &method, path)?;
    }
    if succeed {
        report.good(
            "Preflights succeed: the page may send JSON with cookies, and read the answers.",
        )?;
    }
    if browser.is_same_site() {
        return report.good(
            "Page and server are on one site: browsers keep and send the cookie (SameSite=Lax).",
        );
    }
    report.bad(
        "Page and server are on different sites: browsers neither keep nor send the cookie (SameSite=Lax), so nobody \
         stays logged in.",
        "serve both under one domain and with one scheme (app.example.com and login.example.com), or let the page's \
         server pass /api on to Latchkey",
    )
}

fn preflight_succeeds(
    report: &mut Report,
    browser: &Browser,
    method: &Method,
    path: &str,
) -> anyhow::Result<bool> {
    let answer = browser.preflight(method, path)?;
    let Err(why) = judge_preflight(browser, method, &answer) else {
        return Ok(true);
    };
    let fix = if answer.body["code"] == "cross_origin_request" {
        let origin = browser.page().origin().ascii_serialization();
        format!("start Latchkey with LATCHKEY_TRUSTED_ORIGINS={origin}")
    } else {
        "let the proxy in front of Latchkey pass OPTIONS on, with Origin and all other headers"
            .to_owned()
    };
    report.bad(
        &format!(
            "The preflight of {method} {path} fails: {}.",
            why.trim_end_matches('.')
        ),
        &fix,
    )
}

fn judge_preflight(browser: &Browser, method: &Method, answer: &Answer) -> Result<(), String> {
    match answer.status {
        200..=299 => {
            may_read(browser.page(), &answer.headers)?;
            may_send(method, &answer.headers)
        }
        403 => Err(answer.body["detail"].as_str().unwrap_or("403").to_owned()),
        status => Err(format!(
            "its status is {status}, but browsers accept only 2xx, without a redirect"
        )),
    }
}

/// Checks that a page on another site cannot log anyone in.
pub fn strangers_may_not(report: &mut Report, browser: &Browser) -> anyhow::Result<bool> {
    let stranger = browser.at_page(STRANGER.parse()?);
    let form = json!({"username": "x", "password": "x"});
    let answer = stranger.fetch(Method::POST, "/api/login", Some(form))?;
    if answer.status == 403 && answer.body["code"] == "cross_origin_request" {
        return report
            .good("Requests from another site's page are refused (cross_origin_request).");
    }
    report.bad(
        &format!(
            "A request from a page of {STRANGER} was not refused (status {}).",
            answer.status
        ),
        "let the proxy in front of Latchkey pass Origin and Sec-Fetch-Site on unchanged",
    )
}
