//! A single-page app of yours, served from the directory of its build: its files, and its index.html at every path that
//! may be one of its pages.

use std::io;
use std::path::PathBuf;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_RANGE, HeaderMap, HeaderValue, LOCATION, RANGE, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::wire::code::Code;
use crate::http::wire::page::{self, NO_CACHE};
use crate::http::wire::problem::Problem;
use body::FileBody;
use find::{Found, Kept, Wanted};
use place::Place;

pub mod body;
pub mod caching;
pub mod coding;
pub mod find;
pub mod place;

const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");

pub struct Spa {
    directory: PathBuf,
    /// Files and directories that are never served, wherever they are: those with keys and passwords.
    private: Vec<PathBuf>,
    /// `None`: the app brings one in its HTML, or a proxy adds it.
    policy: Option<HeaderValue>,
}

impl Spa {
    /// `private` are paths as the system knows them, without links.
    pub fn new(directory: PathBuf, private: Vec<PathBuf>, policy: Option<HeaderValue>) -> Self {
        Self {
            directory,
            private,
            policy,
        }
    }

    /// Nothing is kept in memory, so a new build is served from the moment it is there.
    pub async fn answer(&self, request: &HttpRequest) -> Result<Option<HttpResponse>, Problem> {
        let wanted = Wanted {
            place: Place::of(request.path()),
            is_navigation: page::is_navigation(request),
            codings: coding::accepted(request),
        };
        let (directory, private) = (self.directory.clone(), self.private.clone());
        // Disks can be slow, and a thread that serves must not wait for one.
        let found = web::block(move || find::find(&directory, &private, &wanted)).await;
        let found = found.map_err(|error| failed(&error))?;
        Ok(match found.map_err(|error| failed(&error))? {
            Found::File(kept) => Some(self.send(*kept, request).map_err(|error| failed(&error))?),
            Found::Folder => Some(self.lead_into(request)),
            Found::Nothing => None,
        })
    }

    /// actix-files decides about conditions and ranges.
    fn send(&self, kept: Kept, request: &HttpRequest) -> io::Result<HttpResponse> {
        // actix-files counts below zero for an empty file.
        if kept.file.metadata().len() == 0 && request.headers().contains_key(RANGE) {
            return Ok(self.no_such_range());
        }
        let content = kept.file.try_clone()?;
        let mut response = kept.file.into_response(request);
        if let BodySize::Sized(length @ 1..) = response.body().size() {
            let body = FileBody::new(content, start(response.headers()), length);
            response = response.set_body(BoxBody::new(body));
        }
        let caching = match kept.may_be_kept_for_good && !response.status().is_client_error() {
            true => IMMUTABLE,
            false => NO_CACHE,
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, caching);
        headers.append(VARY, ACCEPT_ENCODING);
        page::mark(&mut response, self.policy.clone());
        Ok(response)
    }

    /// RFC 9110 14.4: an empty file has no part that could be sent.
    fn no_such_range(&self) -> HttpResponse {
        let mut response = HttpResponse::RangeNotSatisfiable();
        response.insert_header((CONTENT_RANGE, "bytes */0"));
        response.insert_header((CACHE_CONTROL, NO_CACHE));
        let mut response = response.finish();
        page::mark(&mut response, self.policy.clone());
        response
    }

    /// To the path with a slash at its end, against which relative links in the folder's page are meant. Not for good:
    /// the next build may have a page there.
    fn lead_into(&self, request: &HttpRequest) -> HttpResponse {
        let query = request.uri().query();
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let place = format!("{}/{query}", request.path());
        let mut response = HttpResponse::TemporaryRedirect();
        response.insert_header((LOCATION, place));
        response.insert_header((CACHE_CONTROL, NO_CACHE));
        let mut response = response.finish();
        page::mark(&mut response, self.policy.clone());
        response
    }
}

/// Where the content begins: `Content-Range: bytes 100-199/400`.
fn start(headers: &HeaderMap) -> u64 {
    let range = headers.get(CONTENT_RANGE).and_then(|it| it.to_str().ok());
    let range = range.and_then(|range| range.strip_prefix("bytes "));
    let start = range.and_then(|range| range.split_once('-')?.0.parse().ok());
    start.unwrap_or_default()
}

fn failed(error: &impl ToString) -> Problem {
    Problem {
        cause: Some(format!("LATCHKEY_SPA_DIR: {}", error.to_string())),
        ..Problem::new(Code::InternalError)
    }
}
