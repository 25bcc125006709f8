//! What browsers allow a page to do, and which cookies they keep.

use actix_web::cookie::{Cookie, SameSite};
use ureq::http::{HeaderMap, Method};
use url::Url;

use crate::domain::site::{is_same_site, is_this_machine};

/// The largest cookie that browsers keep (RFC 6265bis 5.6).
const COOKIE_MAX: usize = 4096;

/// Whether a page may read a response from another origin, with credentials (Fetch standard, "CORS check").
pub fn may_read(page: &Url, headers: &HeaderMap) -> Result<(), String> {
    let origin = page.origin().ascii_serialization();
    let header = |name: &str| {
        headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    match header("access-control-allow-origin") {
        None => return Err("the answer has no Access-Control-Allow-Origin".to_owned()),
        Some(allowed) if allowed != origin => {
            return Err(format!(
                "Access-Control-Allow-Origin is {allowed}, not {origin}"
            ));
        }
        Some(_) => {}
    }
    match header("access-control-allow-credentials").as_deref() {
        Some("true") => Ok(()),
        _ => Err("Access-Control-Allow-Credentials is not true".to_owned()),
    }
}

/// Whether the response to a preflight allows a method with a JSON body.
pub fn may_send(method: &Method, headers: &HeaderMap) -> Result<(), String> {
    let lists = |name: &str, wanted: &str| {
        let values = headers.get_all(name).iter();
        let text: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        text.join(",")
            .split(',')
            .any(|one| one.trim().eq_ignore_ascii_case(wanted))
    };
    if !lists("access-control-allow-headers", "content-type") {
        return Err("Access-Control-Allow-Headers does not name Content-Type".to_owned());
    }
    // GET, HEAD and POST need no permission.
    if *method != Method::POST && !lists("access-control-allow-methods", method.as_str()) {
        return Err(format!(
            "Access-Control-Allow-Methods does not name {method}"
        ));
    }
    Ok(())
}

/// Whether a browser keeps a cookie set in response to a page's `fetch` (RFC 6265bis 5.7).
pub fn may_keep(cookie: &Cookie<'_>, page: &Url, api: &Url, size: usize) -> Result<(), String> {
    let secure = cookie.secure().unwrap_or(false);
    let refuse = |why: &str| Err(why.to_owned());
    if size > COOKIE_MAX {
        return refuse("it is larger than 4096 bytes");
    }
    if let Some(domain) = cookie.domain() {
        let host = api.host_str().unwrap_or_default();
        if host != domain && !host.ends_with(&format!(".{domain}")) {
            return refuse("its Domain is not the domain of the server");
        }
    }
    if secure && api.scheme() != "https" && !is_this_machine(api) {
        return refuse("it is Secure, but the address is not https");
    }
    let host_only = cookie.domain().is_none() && cookie.path() == Some("/");
    if cookie.name().starts_with("__Host-") && !(secure && host_only) {
        return refuse("a name with __Host- requires Secure, Path=/ and no Domain");
    }
    let none = cookie.same_site() == Some(SameSite::None);
    if none && !secure {
        return refuse("SameSite=None requires Secure");
    }
    if !none && !is_same_site(page, api) {
        return refuse("it is not SameSite=None, but the page is on another site");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(cookie: &str, page: &str, api: &str) -> bool {
        let (page, api) = (page.parse().unwrap(), api.parse().unwrap());
        may_keep(
            &Cookie::parse(cookie.to_owned()).unwrap(),
            &page,
            &api,
            cookie.len(),
        )
        .is_ok()
    }

    #[test]
    fn cookies_are_kept_as_browsers_keep_them() {
        let (app, api) = ("https://app.example.com", "https://api.example.com");
        for good in [
            "a=1; SameSite=Lax",
            "a=1; Domain=example.com",
            "__Host-a=1; Secure; Path=/",
            "a=1; SameSite=None; Secure",
        ] {
            assert!(kept(good, app, api), "{good}");
        }
        for bad in [
            "a=1; Domain=example.org",
            "a=1; Domain=pi.example.com",
            "__Host-a=1; Path=/",
            "__Host-a=1; Secure; Path=/; Domain=example.com",
            "__Host-a=1; Secure; Path=/api",
            "a=1; SameSite=None",
        ] {
            assert!(!kept(bad, app, api), "{bad}");
        }
        assert!(!kept("a=1; SameSite=Lax", "https://app.example.org", api));
        assert!(
            !kept("a=1; SameSite=Lax", "http://app.example.com", api),
            "the scheme counts"
        );
        assert!(!kept(
            "a=1; SameSite=Lax",
            "https://one.github.io",
            "https://two.github.io"
        ));
        assert!(kept(
            "a=1; SameSite=Lax",
            "http://localhost:5173",
            "http://localhost:8080"
        ));
        assert!(!kept(
            "a=1; SameSite=Lax",
            "http://localhost:5173",
            "http://127.0.0.1:8080"
        ));
        assert!(kept(
            "a=1; Secure",
            "http://localhost:5173",
            "http://localhost:8080"
        ));
        assert!(!kept("a=1; Secure", "http://app.lan", "http://app.lan"));
        assert!(!kept(&format!("a={}", "1".repeat(4095)), app, api));
    }
}
