//! The cookie's round trip: log in, come back, log out.

use serde_json::json;
use ureq::http::Method;
use url::Url;

use super::browser::{Answer, Browser};
use super::report::Report;
use super::rules::may_read;
use crate::domain::site::is_this_machine;
use crate::store::users::User;

pub fn log_in_and_out(
    report: &mut Report,
    browser: &mut Browser,
    user: &User,
    password: &str,
) -> anyhow::Result<()> {
    let login = match log_in(report, browser, user, password)? {
        Login::Done(login) => login,
        Login::Failed => return Ok(()),
        Login::Untrusted => {
            report.note("The rest is checked as for a page of the server itself.")?;
            *browser = browser.at_page(browser.api().clone());
            return log_in_and_out(report, browser, user, password);
        }
    };
    if cookie_is_kept(report, browser, &login)? && user_is_recognized(report, browser)? {
        note_address(report, browser)?;
        log_out(report, browser)?;
    }
    Ok(())
}

enum Login {
    Done(Answer),
    /// The failed preflight has already reported this.
    Untrusted,
    Failed,
}

fn log_in(
    report: &mut Report,
    browser: &Browser,
    user: &User,
    password: &str,
) -> anyhow::Result<Login> {
    let form = json!({"username": user.username, "password": password});
    let login = browser.fetch(Method::POST, "/api/login", Some(form))?;
    match login.status {
        200 => {
            page_can_read(report, browser, &login, "login")?;
            return Ok(Login::Done(login));
        }
        401 => {
            report.bad(
                "A user created in this database cannot log in at the server: it uses another database.",
                "run the doctor with the settings of the server (DATABASE_URL or LATCHKEY_DATA_DIR)",
            )?;
        }
        403 if !browser.is_same_origin()
            && report.failures > 0
            && login.body["code"] == "cross_origin_request" =>
        {
            return Ok(Login::Untrusted);
        }
        status => {
            let detail = login.body["detail"].as_str().unwrap_or_default();
            report.bad(
                &format!("Logging in fails with status {status}: {detail}"),
                "see the server's log",
            )?;
        }
    }
    Ok(Login::Failed)
}

fn cookie_is_kept(
    report: &mut Report,
    browser: &mut Browser,
    login: &Answer,
) -> anyhow::Result<bool> {
    for (name, verdict) in browser.keep_cookies(login) {
        if let Err(why) = verdict {
            return report.bad(
                &format!("Browsers drop the cookie {name}: {why}."),
                cookie_fix(browser.api(), &name),
            );
        }
    }
    let http_only = |cookie: &actix_web::cookie::Cookie<'_>| cookie.http_only() == Some(true);
    if !browser.jar.iter().any(http_only) {
        return report.bad(
            "The login set no HttpOnly cookie: something in front of Latchkey removes or changes Set-Cookie.",
            "let the proxy pass Set-Cookie on unchanged",
        );
    }
    report.good("Logging in works, and browsers keep the cookie.")
}

fn cookie_fix(api: &Url, name: &str) -> &'static str {
    if name.starts_with("__Host-") && api.scheme() == "http" {
        return "the server's LATCHKEY_PUBLIC_URL is https: use that address, or set it to http://localhost:8080 for \
                development";
    }
    "see above about the sites of page and server"
}

fn user_is_recognized(report: &mut Report, browser: &Browser) -> anyhow::Result<bool> {
    let me = browser.fetch(Method::GET, "/api/me", None)?;
    if me.status != 200 {
        return report.bad(
            &format!(
                "/api/me does not recognize the cookie (status {}).",
                me.status
            ),
            "let the proxy pass Cookie on, and give all instances the same LATCHKEY_SECRET_KEY and database",
        );
    }
    page_can_read(report, browser, &me, "/api/me")?;
    report.good("/api/me recognizes the user.")
}

fn log_out(report: &mut Report, browser: &Browser) -> anyhow::Result<bool> {
    let logout = browser.fetch(Method::POST, "/api/logout", None)?;
    let after = browser.fetch(Method::GET, "/api/me", None)?;
    if logout.status != 204 || after.status != 401 {
        return report.bad(
            &format!(
                "Logging out has status {}, and the old cookie then {}, instead of 204 and 401.",
                logout.status, after.status
            ),
            "let no cache in front of Latchkey keep answers of /api",
        );
    }
    report.good("Logging out ends the session, and the old cookie is worthless.")
}

/// Checks that the page may read a response from another origin.
fn page_can_read(
    report: &mut Report,
    browser: &Browser,
    answer: &Answer,
    what: &str,
) -> anyhow::Result<bool> {
    match may_read(browser.page(), &answer.headers) {
        Err(why) if !browser.is_same_origin() => report.bad(
            &format!("The page cannot read the answer of {what}: {why}."),
            "see the preflight above; a proxy may also remove these headers",
        ),
        _ => Ok(true),
    }
}

/// Limits count by address: behind an unlisted proxy, everyone has the same one.
fn note_address(report: &mut Report, browser: &Browser) -> anyhow::Result<bool> {
    let sessions = browser.fetch(Method::GET, "/api/sessions", None)?;
    let mut listed = sessions.body.as_array().into_iter().flatten();
    let current = listed.find(|one| one["current"] == true);
    match current.and_then(|one| one["ip"].as_str()) {
        Some(ip) if !is_this_machine(browser.api()) => report.note(&format!(
            "The server sees this machine as {ip}. If that is your proxy's address, set LATCHKEY_TRUSTED_PROXIES={ip}; \
             otherwise everyone shares the limits of one address."
        )),
        _ => Ok(true),
    }
}
