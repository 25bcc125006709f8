//! `latchkey doctor`: does what a page's `fetch` would do against a running server, and explains what a browser makes
//! of it.

use std::io::{Write, stdout};

use anyhow::bail;
use clap::Args;
use serde_json::json;
use ureq::http::Method;
use url::Url;

use crate::config::{Settings, Unrepeated, parse_site};
use crate::domain::site::is_this_machine;
use crate::store::users::User;
use browser::{Answer, Browser};
use report::Report;
use rules::{may_read, may_send};

mod browser;
mod report;
mod rules;
mod trial;

/// Nobody's: a name that stays reserved (RFC 2606).
const STRANGER: &str = "https://stranger.example";

#[derive(Args)]
pub struct DoctorArgs {
    /// The origin of your pages, as the browser shows it: https://app.example
    #[arg(long, value_name = "ORIGIN", value_parser = Unrepeated(parse_site))]
    origin: Url,

    /// Where browsers reach the server. Unset: LATCHKEY_PUBLIC_URL
    #[arg(long, value_name = "URL", value_parser = Unrepeated(parse_site))]
    url: Option<Url>,

    #[command(flatten)]
    settings: Settings,
}

pub fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    let api = args
        .url
        .clone()
        .unwrap_or_else(|| args.settings.public_url.clone());
    writeln!(
        stdout(),
        "A page of {} and Latchkey at {}:\n",
        args.origin.origin().ascii_serialization(),
        api.origin().ascii_serialization()
    )?;
    let mut report = Report::default();
    let mut browser = Browser::new(args.origin.clone(), api.clone());
    if answers(&mut report, &browser, &api)? {
        crosses_origins(&mut report, &browser, args)?;
        refuses_strangers(&mut report, &browser)?;
        trial::with_somebody(&args.settings, |user, password| {
            keeps_logged_in(&mut report, &mut browser, args, &api, user, password)
        })?;
    }
    match report.failures {
        0 => Ok(writeln!(
            stdout(),
            "\nAll is well: people can log in from that page."
        )?),
        1 => bail!("one thing is in the way of that page"),
        n => bail!("{n} things are in the way of that page"),
    }
}

fn answers(report: &mut Report, browser: &Browser, api: &Url) -> anyhow::Result<bool> {
    let ready = match browser.fetch(Method::GET, "/health/ready", None) {
        Ok(ready) => ready,
        Err(error) => {
            report.bad(
                &format!("Nothing answers at {api}: {error}."),
                "start Latchkey, or give its address by LATCHKEY_PUBLIC_URL or --url",
            )?;
            return Ok(false);
        }
    };
    if !ready.headers.contains_key("x-request-id") {
        report.bad(
            &format!(
                "What answers at {api} is not Latchkey (status {}, no X-Request-Id).",
                ready.status
            ),
            "have the proxy pass /api and /health on, or correct LATCHKEY_PUBLIC_URL",
        )?;
        return Ok(false);
    }
    if ready.status != 200 {
        let code = ready.body["code"].as_str().unwrap_or_default().to_owned();
        report.bad(
            &format!("Latchkey answers, but is not ready: {code}."),
            "look into its log; most likely its database is away",
        )?;
        return Ok(false);
    }
    report.good("Latchkey answers and is ready.")?;
    Ok(true)
}

/// CORS and the rules that need no request.
fn crosses_origins(
    report: &mut Report,
    browser: &Browser,
    args: &DoctorArgs,
) -> anyhow::Result<()> {
    if browser.is_mixed_content() {
        report.bad(
            "The page is https and the server is not: browsers block such requests (mixed content).",
            "put a proxy with TLS in front of Latchkey and set LATCHKEY_PUBLIC_URL to its https address",
        )?;
    }
    if browser.is_same_origin() {
        return report
            .good("Page and server are one origin: no preflight, no CORS, nothing to set.");
    }
    let origin = args.origin.origin().ascii_serialization();
    for (method, path) in [
        (Method::POST, "/api/login"),
        (Method::DELETE, "/api/sessions"),
    ] {
        let answer = browser.preflight(&method, path)?;
        let verdict = match answer.status {
            200..=299 => may_read(&args.origin, &answer.headers)
                .and_then(|()| may_send(&method, &answer.headers)),
            403 => Err(answer.body["detail"].as_str().unwrap_or("403").to_owned()),
            status => Err(format!(
                "status {status}, and a preflight must be answered with 2xx, without a redirect"
            )),
        };
        if let Err(why) = verdict {
            let fix = if answer.body["code"] == "cross_origin_request" {
                format!("start Latchkey with LATCHKEY_TRUSTED_ORIGINS={origin}")
            } else {
                "have what stands in front of Latchkey pass OPTIONS on, with Origin and all other headers".to_owned()
            };
            return report.bad(
                &format!(
                    "Preflight of {method} {path}: {}.",
                    why.trim_end_matches('.')
                ),
                &fix,
            );
        }
    }
    report.good(
        "Preflights are answered: the page may send JSON with cookies, and read the answers.",
    )?;
    if browser.is_same_site() {
        return report
            .good("Page and server are one site: the cookie (SameSite=Lax) is kept and sent.");
    }
    report.bad(
        "Page and server are different sites: browsers neither keep nor send the cookie (SameSite=Lax), so nobody \
         stays logged in.",
        "serve both below one domain and with one scheme (app.example.com and login.example.com), or have the page's \
         server pass /api on to Latchkey",
    )
}

fn refuses_strangers(report: &mut Report, browser: &Browser) -> anyhow::Result<()> {
    let stranger = browser.at_page(STRANGER.parse()?);
    let answer = stranger.fetch(
        Method::POST,
        "/api/login",
        Some(json!({"username": "x", "password": "x"})),
    )?;
    if answer.status == 403 && answer.body["code"] == "cross_origin_request" {
        return report.good(
            "A page of another site is refused before anything happens (cross_origin_request).",
        );
    }
    report.bad(
        &format!("A page of {STRANGER} was not refused (status {}).", answer.status),
        "something in front of Latchkey removes or rewrites Origin and Sec-Fetch-Site: have it pass them on",
    )
}

/// Log in, be recognised, log out: the round trip of the cookie.
fn keeps_logged_in(
    report: &mut Report,
    browser: &mut Browser,
    args: &DoctorArgs,
    api: &Url,
    user: &User,
    password: &str,
) -> anyhow::Result<()> {
    let form = json!({"username": user.username, "password": password});
    let login = browser.fetch(Method::POST, "/api/login", Some(form))?;
    match login.status {
        200 => {}
        401 => {
            return report.bad(
                "A user made in this database cannot log in there: the server uses another one.",
                "run the doctor with the settings of the server (DATABASE_URL or LATCHKEY_DATA_DIR)",
            );
        }
        // The preflight's failure said so already.
        403 if report.failures > 0 && login.body["code"] == "cross_origin_request" => return Ok(()),
        status => {
            let detail = login.body["detail"].as_str().unwrap_or_default();
            return report.bad(
                &format!("Logging in fails with status {status}: {detail}"),
                "see the server's log",
            );
        }
    }
    readable(report, browser, args, &login, "login")?;
    for (name, verdict) in browser.keep_cookies(&login) {
        if let Err(why) = verdict {
            return report.bad(
                &format!("The browser drops the cookie {name}: {why}."),
                &cookie_fix(api, &name),
            );
        }
    }
    if !browser
        .jar
        .iter()
        .any(|cookie| cookie.http_only() == Some(true))
    {
        return report.bad(
            "The login set no HttpOnly cookie: something in front of Latchkey removes or changes Set-Cookie.",
            "have the proxy pass Set-Cookie on as it is",
        );
    }
    report.good("Logging in works, and the browser keeps the cookie.")?;
    let me = browser.fetch(Method::GET, "/api/me", None)?;
    if me.status != 200 {
        return report.bad(
            &format!("/api/me does not recognise the cookie (status {}).", me.status),
            "have the proxy pass Cookie on; give all instances the same LATCHKEY_SECRET_KEY and database",
        );
    }
    readable(report, browser, args, &me, "/api/me")?;
    report.good("/api/me recognises the user.")?;
    seen_address(report, browser, api)?;
    let logout = browser.fetch(Method::POST, "/api/logout", None)?;
    let after = browser.fetch(Method::GET, "/api/me", None)?;
    if logout.status != 204 || after.status != 401 {
        return report.bad(
            &format!(
                "Logging out answers {}, and the old cookie then {}.",
                logout.status, after.status
            ),
            "some cache in front of Latchkey must not keep answers of /api",
        );
    }
    report.good("Logging out ends the session; the old cookie is worth nothing.")
}

/// Another origin's page sees an answer only with leave.
fn readable(
    report: &mut Report,
    browser: &Browser,
    args: &DoctorArgs,
    answer: &Answer,
    what: &str,
) -> anyhow::Result<()> {
    match may_read(&args.origin, &answer.headers) {
        Err(why) if !browser.is_same_origin() => report.bad(
            &format!("The page cannot read the answer of {what}: {why}."),
            "see the preflight above; a proxy may also remove these headers",
        ),
        _ => Ok(()),
    }
}

fn cookie_fix(api: &Url, name: &str) -> String {
    if name.starts_with("__Host-") && api.scheme() == "http" {
        return "the server's LATCHKEY_PUBLIC_URL is https: open it by that address, or set it to http://localhost:8080 \
                for development"
            .to_owned();
    }
    "see above where the page and the server are".to_owned()
}

/// Limits count by address: behind a proxy that is not named, all people share one.
fn seen_address(report: &mut Report, browser: &Browser, api: &Url) -> anyhow::Result<()> {
    let sessions = browser.fetch(Method::GET, "/api/sessions", None)?;
    let current = sessions
        .body
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["current"] == true);
    let Some(ip) = current.and_then(|one| one["ip"].as_str()) else {
        return Ok(());
    };
    if is_this_machine(api) {
        return Ok(());
    }
    report.note(&format!(
        "The server sees this machine as {ip}. If that is your proxy, set LATCHKEY_TRUSTED_PROXIES={ip}, or all people \
         share one address's limits."
    ))
}
