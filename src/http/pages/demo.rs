//! The reference page: a small single-page app that shows the API at work, to copy from. Its files are in `src/demo`.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EntityTag, Header, HeaderValue, IfNoneMatch,
    TryIntoHeaderValue,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use strum::VariantArray;

use crate::domain::pages::{Page, Pages};
use crate::http::wire::page::{self, NO_CACHE, is_navigation};
use crate::http::wire::static_body::StaticBody;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// Every file of `src/demo` but `index.html`.
        pub const FILES: &[(&str, &[u8])] =
            &[$(($name, include_bytes!(concat!("../../demo/", $name)))),*];
    };
}

files![
    "account.js",
    "admin.js",
    "api.js",
    "autofill.js",
    "dialog.js",
    "dom.js",
    "entry.js",
    "factors.js",
    "form.js",
    "icon.svg",
    "identities.js",
    "links.js",
    "lists.js",
    "main.js",
    "newcomer.js",
    "passkeys.js",
    "providers.js",
    "reauthenticate.js",
    "router.js",
    "session.js",
    "site.js",
    "step.js",
    "style.css",
    "ways.js",
    "webauthn.js",
    "words.js",
];

const INDEX: &str = include_str!("../../demo/index.html");
/// Where [`INDEX`] wants to be told the paths of its pages.
const PATHS: &str = r#"<meta name="latchkey-pages" content="{}">"#;
/// Its pages whose paths no setting changes.
const FIXED: [&str; 6] = ["/", "/login", "/register", "/forgot", "/account", "/admin"];
/// Only its own files and its own server, and nothing written into the page itself.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

pub struct Demo {
    index: File,
    /// By their paths.
    assets: HashMap<String, File>,
    pages: Vec<String>,
}

struct File {
    bytes: Bytes,
    kind: HeaderValue,
    etag: EntityTag,
}

impl Demo {
    pub fn new(pages: &Pages) -> Self {
        let asset = |(name, bytes): &(&str, &'static [u8])| {
            let file = File::new(Bytes::from_static(bytes), kind(name));
            (format!("/demo/{name}"), file)
        };
        let of_settings = Page::VARIANTS.iter().map(|page| decoded(pages.path(*page)));
        let fixed = FIXED.iter().map(|path| (*path).to_owned());
        Self {
            index: File::new(Bytes::from(index(pages)), kind("index.html")),
            assets: FILES.iter().map(asset).collect(),
            pages: fixed.chain(of_settings).collect(),
        }
    }

    pub fn answer(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let path = decoded(request.path());
        if let Some(asset) = self.assets.get(&path) {
            return Some(asset.answer(request, StatusCode::OK));
        }
        let is_page = self.pages.contains(&path);
        let status = match (is_page, is_navigation(request)) {
            (true, _) => StatusCode::OK,
            (false, true) => StatusCode::NOT_FOUND,
            (false, false) => return None,
        };
        Some(self.index.answer(request, status))
    }
}

impl File {
    fn new(bytes: Bytes, kind: &'static str) -> Self {
        let hash = hex::encode(Sha256::digest(&bytes));
        Self {
            bytes,
            kind: HeaderValue::from_static(kind),
            etag: EntityTag::new_strong(hash),
        }
    }

    fn answer(&self, request: &HttpRequest, status: StatusCode) -> HttpResponse {
        let is_known = status == StatusCode::OK && self.is_known(request);
        let mut response = if is_known {
            HttpResponse::new(StatusCode::NOT_MODIFIED)
        } else {
            HttpResponse::with_body(status, StaticBody(self.bytes.clone())).map_into_boxed_body()
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.kind.clone());
        headers.insert(CACHE_CONTROL, NO_CACHE);
        if let Ok(etag) = self.etag.clone().try_into_value() {
            headers.insert(ETAG, etag);
        }
        page::mark(&mut response, Some(CSP));
        response
    }

    /// Whether the browser has it already.
    fn is_known(&self, request: &HttpRequest) -> bool {
        match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.etag)),
            Err(_) => false,
        }
    }
}

/// The document, which knows the paths that the settings give to its pages.
fn index(pages: &Pages) -> String {
    let named = |page: &Page| (<&str>::from(*page), pages.path(*page));
    let paths: HashMap<_, _> = Page::VARIANTS.iter().map(named).collect();
    let json = serde_json::to_string(&paths).unwrap_or_default();
    let escaped = json
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;");
    INDEX.replace(PATHS, &PATHS.replace("{}", &escaped))
}

/// The path of a page or a request, without a query and escapes.
fn decoded(place: &str) -> String {
    let path = place.split(['?', '#']).next().unwrap_or_default();
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml; charset=utf-8",
        _ => "application/octet-stream",
    }
}
