//! JSON responses, written into a buffer of the right size: a growing one would be copied several times.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use super::code::Code;
use super::problem::Problem;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Fits a user and a session with a name and an address of usual length.
const ROOM: usize = 768;

/// A 200 with this body.
pub fn ok(value: &impl Serialize) -> Result<HttpResponse, Problem> {
    json(HttpResponse::Ok(), value)
}

/// A 201 with this body.
pub fn created(value: &impl Serialize) -> Result<HttpResponse, Problem> {
    json(HttpResponse::Created(), value)
}

fn json(
    mut response: HttpResponseBuilder,
    value: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    let mut body = Vec::with_capacity(ROOM);
    serde_json::to_writer(&mut body, value).map_err(|error| Problem {
        cause: Some(error.to_string()),
        ..Problem::new(Code::InternalError)
    })?;
    response.insert_header((CONTENT_TYPE, JSON));
    Ok(response.body(body))
}
