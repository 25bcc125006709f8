//! Which pages may use the API. The cross-origin guard and CORS share one list.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};

pub const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers that a page on another origin may read.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, Location");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static("Content-Type");
/// Ten minutes, so that browsers need no preflight for each request.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Serialized origins.
pub struct CrossOrigin {
    /// Our own.
    pub public: String,
    /// Those of the setting.
    pub trusted: Vec<String>,
}

impl CrossOrigin {
    pub fn is_trusted(&self, origin: &str) -> bool {
        self.public == origin || self.trusted.iter().any(|trusted| trusted == origin)
    }

    /// Refuses unsafe requests from other sites' pages unless they are trusted. The reason names the header.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), String> {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let origin = headers
            .get(ORIGIN)
            .map(|value| value.to_str().unwrap_or("(not ASCII)"));
        let trusted = origin.is_some_and(|origin| self.is_trusted(origin));
        match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none") => Ok(()),
            Some(_) if trusted => Ok(()),
            Some(site) => Err(format!(
                "A page of another site made this request (Sec-Fetch-Site: {}, Origin: {}).",
                shown(&String::from_utf8_lossy(site)),
                shown(origin.unwrap_or("none")),
            )),
            None => match origin {
                None => Ok(()),
                Some(_) if trusted => Ok(()),
                Some(origin) if is_host(origin, headers) => Ok(()),
                Some(origin) => Err(format!(
                    "The page that made this request is not trusted (Origin: {}).",
                    shown(origin)
                )),
            },
        }
    }

    /// The response headers for a preflight (Fetch standard, CORS protocol), or an error if the page is not trusted.
    /// `None` if the request is not a preflight.
    pub fn preflight(
        &self,
        method: &Method,
        headers: &HeaderMap,
    ) -> Option<Result<HeaderMap, String>> {
        let origin = headers.get(ORIGIN)?;
        if *method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut answer = HeaderMap::new();
        self.allow(Some(origin), &mut answer);
        if !answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            let origin = shown(&String::from_utf8_lossy(origin.as_bytes()));
            return Some(Err(format!(
                "The page that asks is not trusted (Origin: {origin})."
            )));
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(Ok(answer))
    }

    /// Lets a trusted page on another origin read the answer.
    pub fn allow(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        let Some(origin) = origin else { return };
        if origin.to_str().is_ok_and(|origin| self.is_trusted(origin)) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        answer.append(VARY, HeaderValue::from_static("Origin"));
    }
}

/// Compares `Origin: scheme://host` with `Host: host`. Behind a proxy we do not know our own scheme.
pub fn is_host(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin_host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    origin_host.is_some() && origin_host == host
}

/// A header value that is safe to repeat in a response.
fn shown(value: &str) -> String {
    value
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .take(100)
        .collect()
}
