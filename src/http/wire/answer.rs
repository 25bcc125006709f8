//! JSON answers, written into room that suffices: growing as it is written, a body would be copied several times.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::code::Code;
use super::problem::Problem;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The user and the session with names and addresses of usual length.
const ROOM: usize = 768;

/// 200 with this body.
pub fn ok(value: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut body = Vec::with_capacity(ROOM);
    serde_json::to_writer(&mut body, value).map_err(|error| Problem {
        cause: Some(error.to_string()),
        ..Problem::new(Code::InternalError)
    })?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, JSON));
    Ok(response.body(body))
}
