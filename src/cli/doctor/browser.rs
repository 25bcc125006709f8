//! What a browser does with requests and cookies of a page: the rules, and a client that keeps to them.

use std::sync::Arc;
use std::time::Duration;

use actix_web::cookie::{Cookie, SameSite};
use serde_json::Value;
use ureq::http::{HeaderMap, Method, Request};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, RequestExt};
use url::Url;

use crate::http::same_site::{is_same_site, is_this_machine};

/// Browsers keep no larger cookie (RFC 6265bis 5.6).
const COOKIE_MAX: usize = 4096;
const TIMEOUT: Duration = Duration::from_secs(10);

/// A page of one origin that talks to an API, with the cookies that a browser would keep.
pub struct Browser {
    agent: Agent,
    page: Url,
    api: Url,
    pub jar: Vec<Cookie<'static>>,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Browser {
    pub fn new(page: Url, api: Url) -> Self {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = found
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("latchkey-doctor/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls);
        Self {
            agent: config.build().new_agent(),
            page,
            api,
            jar: Vec::new(),
        }
    }

    /// The same API from a page of another origin, without cookies.
    pub fn at_page(&self, page: Url) -> Self {
        Self {
            agent: self.agent.clone(),
            page,
            api: self.api.clone(),
            jar: Vec::new(),
        }
    }

    pub fn is_same_origin(&self) -> bool {
        self.page.origin() == self.api.origin()
    }

    pub fn is_same_site(&self) -> bool {
        is_same_site(&self.page, &self.api)
    }

    /// An https page may ask an http address only on this machine (W3C Mixed Content).
    pub fn is_mixed_content(&self) -> bool {
        self.page.scheme() == "https" && self.api.scheme() == "http" && !is_this_machine(&self.api)
    }

    /// `fetch(path, {method, credentials: "include", body})`
    pub fn fetch(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, ureq::Error> {
        let mut extra = Vec::new();
        if method != Method::GET || !self.is_same_origin() {
            extra.push(("origin", self.page.origin().ascii_serialization()));
        }
        let site = match (self.is_same_origin(), self.is_same_site()) {
            (true, _) => "same-origin",
            (_, true) => "same-site",
            _ => "cross-site",
        };
        extra.push(("sec-fetch-site", site.to_owned()));
        extra.push(("sec-fetch-mode", "cors".to_owned()));
        let cookies: Vec<_> = self
            .jar
            .iter()
            .map(|cookie| cookie.stripped().to_string())
            .collect();
        if !cookies.is_empty() {
            extra.push(("cookie", cookies.join("; ")));
        }
        if body.is_some() {
            extra.push(("content-type", "application/json".to_owned()));
        }
        self.send(
            method,
            path,
            &extra,
            body.map(|body| body.to_string()).unwrap_or_default(),
        )
    }

    /// The question that precedes a request to another origin which is not simple (Fetch standard 4.8).
    pub fn preflight(&self, method: &Method, path: &str) -> Result<Answer, ureq::Error> {
        let headers = [
            ("origin", self.page.origin().ascii_serialization()),
            ("access-control-request-method", method.to_string()),
            ("access-control-request-headers", "content-type".to_owned()),
        ];
        self.send(Method::OPTIONS, path, &headers, String::new())
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: String,
    ) -> Result<Answer, ureq::Error> {
        let url = self
            .api
            .join(path)
            .map_or_else(|_| path.to_owned(), String::from);
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(body)?;
        let mut answer = request.with_agent(&self.agent).run()?;
        let text = answer.body_mut().read_to_string()?;
        Ok(Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: serde_json::from_str(&text).unwrap_or_default(),
        })
    }

    /// Keeps the cookies of an answer, each with the reason why a browser would not.
    pub fn keep_cookies(&mut self, answer: &Answer) -> Vec<(String, Result<(), String>)> {
        let set = answer.headers.get_all("set-cookie");
        let texts: Vec<String> = set
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        texts
            .into_iter()
            .map(|text| {
                let Ok(cookie) = Cookie::parse(text.clone()) else {
                    return (
                        text.split('=').next().unwrap_or_default().to_owned(),
                        Err("it cannot be read".to_owned()),
                    );
                };
                let verdict = may_keep(&cookie, &self.page, &self.api, text.len());
                let name = cookie.name().to_owned();
                self.jar.retain(|kept| kept.name() != name);
                if verdict.is_ok() && !cookie.value().is_empty() {
                    self.jar.push(cookie);
                }
                (name, verdict)
            })
            .collect()
    }
}

/// Whether a page may read an answer from another origin, with credentials (Fetch standard, "CORS check").
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

/// Whether the answer to a preflight allows a method with a JSON body.
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

/// Whether a browser keeps a cookie that an answer to a page's `fetch` sets (RFC 6265bis 5.7).
fn may_keep(cookie: &Cookie<'_>, page: &Url, api: &Url, size: usize) -> Result<(), String> {
    let secure = cookie.secure().unwrap_or(false);
    let refuse = |why: &str| Err(why.to_owned());
    if size > COOKIE_MAX {
        return refuse("it is larger than 4096 bytes");
    }
    if let Some(domain) = cookie.domain() {
        let host = api.host_str().unwrap_or_default();
        if host != domain && !host.ends_with(&format!(".{domain}")) {
            return refuse("its Domain is not the server's");
        }
    }
    if secure && api.scheme() != "https" && !is_this_machine(api) {
        return refuse("it is Secure, and the address is not https");
    }
    let host_only = cookie.domain().is_none() && cookie.path() == Some("/");
    if cookie.name().starts_with("__Host-") && !(secure && host_only) {
        return refuse("__Host- asks for Secure, Path=/ and no Domain");
    }
    let none = cookie.same_site() == Some(SameSite::None);
    if none && !secure {
        return refuse("SameSite=None asks for Secure");
    }
    if !none && !is_same_site(page, api) {
        return refuse("it is not SameSite=None, and the page is on another site");
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
