//! Tells the log what a browser tells nobody: it calls every refusal a "CORS error", and drops a cookie without a word.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, ORIGIN};
use url::Url;

use super::cross_origin::{CrossOrigin, SEC_FETCH_SITE, is_host};
use crate::domain::site::is_same_site;

/// Anyone can invent origins, and each of them is a line in the log, once.
const AT_MOST: usize = 16;
const ORIGIN_MAX: usize = 100;

/// The origins that have been told of.
#[derive(Default)]
pub struct Hints(Mutex<HashSet<String>>);

impl Hints {
    /// Looks at how a request to the API was answered.
    pub fn look(&self, origins: &CrossOrigin, answer: &ServiceResponse) {
        let (request, headers) = (answer.request(), answer.request().headers());
        let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let Some(origin) = origin.filter(|_| request.path().starts_with("/api/")) else {
            return;
        };
        let site = headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes());
        let Some(page) = page(origin) else { return };
        if !origins.is_trusted(origin) {
            let own = matches!(site, Some(b"same-origin" | b"none")) || is_host(origin, headers);
            if !own {
                self.tell(origin, AT_MOST, || untrusted(origins, origin));
            }
            return;
        }
        let is_login = request.path() == "/api/login" && answer.status() == StatusCode::OK;
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| host.len() <= ORIGIN_MAX);
        let asked = host.and_then(|host| Url::parse(&format!("{}://{host}", page.scheme())).ok());
        let is_cross_site = match site {
            Some(site) => site == b"cross-site",
            None => asked
                .as_ref()
                .is_some_and(|asked| !is_same_site(&page, asked)),
        };
        if is_login && is_cross_site {
            let told = || lost_cookie(origins, &page, asked.as_ref());
            self.tell(origin, usize::MAX, told);
        }
    }

    /// Once for each origin, unless that many have been told.
    fn tell(&self, origin: &str, at_most: usize, text: impl FnOnce() -> String) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < at_most && told.insert(origin.to_owned()) {
            tracing::warn!("{}", text());
        }
    }
}

fn untrusted(origins: &CrossOrigin, origin: &str) -> String {
    let mut all = origins.trusted.clone();
    all.push(origin.to_owned());
    format!(
        "a page of {origin} asked, but may not read the answer; its browser calls that a CORS error. If the page is \
         yours, set LATCHKEY_TRUSTED_ORIGINS={}, or let the server of that page pass /api on to Latchkey",
        all.join(",")
    )
}

fn lost_cookie(origins: &CrossOrigin, page: &Url, asked: Option<&Url>) -> String {
    let origin = page.origin().ascii_serialization();
    let public = Url::parse(&origins.public).ok();
    let advice = match public.filter(|public| is_same_site(page, public)) {
        Some(_) => format!("let it call {}", origins.public),
        None => format!(
            "serve both under one domain and scheme, or let the server of that page pass /api on to Latchkey; \
             latchkey doctor --origin {origin} explains it"
        ),
    };
    let asked = asked.map_or(origins.public.clone(), |asked| {
        asked.origin().ascii_serialization()
    });
    format!(
        "a page of {origin} logged in at {asked}, which is another site to the browser, so the session cookie does not \
         come back: {advice}"
    )
}

/// An origin as browsers write it. `null` is nobody's, and cannot be trusted.
fn page(origin: &str) -> Option<Url> {
    let page = Url::parse(origin).ok()?;
    let is_whole = matches!(page.scheme(), "http" | "https")
        && origin.len() <= ORIGIN_MAX
        && page.origin().ascii_serialization() == origin;
    is_whole.then_some(page)
}
