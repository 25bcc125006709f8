//! A client that sends what a browser sends for a page, and keeps the cookies that a browser would keep.

use std::time::Duration;

use actix_web::cookie::Cookie;
use serde_json::Value;
use ureq::http::{HeaderMap, Method, Request};
use ureq::{Agent, RequestExt};
use url::Url;

use super::rules::may_keep;
use crate::auth::oidc::fetch::system_tls;
use crate::domain::site::{is_same_site, is_this_machine};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A page on one origin that calls an API, with its cookies.
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
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("latchkey-doctor/", env!("CARGO_PKG_VERSION")))
            .tls_config(system_tls());
        Self {
            agent: config.build().new_agent(),
            page,
            api,
            jar: Vec::new(),
        }
    }

    /// The same API from a page on another origin, without cookies.
    pub fn at_page(&self, page: Url) -> Self {
        Self {
            agent: self.agent.clone(),
            page,
            api: self.api.clone(),
            jar: Vec::new(),
        }
    }

    pub fn page(&self) -> &Url {
        &self.page
    }

    pub fn api(&self) -> &Url {
        &self.api
    }

    pub fn is_same_origin(&self) -> bool {
        self.page.origin() == self.api.origin()
    }

    pub fn is_same_site(&self) -> bool {
        is_same_site(&self.page, &self.api)
    }

    /// Whether browsers block the requests: an https page may call an http address only on this machine (W3C Mixed
    /// Content).
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

    /// The request that a browser sends before a non-simple request to another origin (Fetch standard 4.8).
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

    /// Keeps the cookies that a browser would keep, and returns a verdict on each.
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
                        Err("it is malformed".to_owned()),
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
