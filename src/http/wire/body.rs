//! JSON bodies, bounded in size and time. Each invalid field is reported by name.

use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use actix_web::web::BytesMut;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::code::Code;
use super::problem::Problem;
use crate::domain::field::{FieldCode, FieldError};
use crate::http::server::pace::Pace;

/// Every body in the API fits in a fraction of this.
const LIMIT: usize = 16 * 1024;
/// How much of a refused body is still read before the connection closes, so that the client sees the response and not
/// a reset connection.
const DRAIN_LIMIT: usize = 16 * 1024 * 1024;
const NOT_ONE_OBJECT: &str = "The request is not one JSON object that names each field once.";
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// A JSON object as `T`. An absent body counts as `{}` if `T` allows it.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let encoding = encoding(request.headers());
        let typed = is_json(request.headers());
        let mut payload = payload.take();
        let pace = request.conn_data::<Rc<Pace>>().cloned();
        Box::pin(async move {
            let wanted = pace.as_ref().map(Pace::want_body);
            let read = tokio::time::timeout(BODY_TIMEOUT, read(&mut payload)).await;
            drop(wanted);
            let body = read.map_err(|_| Problem::new(Code::RequestTimeout))??;
            if !body.is_empty() && !typed {
                return Err(Problem::new(Code::UnsupportedMediaType));
            }
            let body = match encoding? {
                Encoding::Identity => body.to_vec(),
                Encoding::Gzip => gunzip(&body)?,
            };
            parse(&body).map(Self)
        })
    }
}

async fn read(payload: &mut Payload) -> Result<BytesMut, Problem> {
    let mut body = BytesMut::new();
    let mut received = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::with_detail(Code::BadRequest, "The request broke off. Please try again.")
        })?;
        received += chunk.len();
        if received > DRAIN_LIMIT {
            break;
        }
        if received <= LIMIT {
            body.extend_from_slice(&chunk);
        }
    }
    if received > LIMIT {
        Err(Problem::new(Code::PayloadTooLarge))
    } else {
        Ok(body)
    }
}

enum Encoding {
    Identity,
    Gzip,
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    match headers
        .get(CONTENT_ENCODING)
        .map(|value| value.as_bytes().to_ascii_lowercase())
        .as_deref()
    {
        None | Some(b"identity") => Ok(Encoding::Identity),
        Some(b"gzip" | b"x-gzip") => Ok(Encoding::Gzip),
        Some(_) => Err(Problem::new(Code::UnsupportedMediaType)),
    }
}

/// Stops at the limit, whatever the input expands to.
fn gunzip(body: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut plain = Vec::new();
    let limit = u64::try_from(LIMIT).unwrap_or(u64::MAX);
    flate2::read::GzDecoder::new(body)
        .take(limit + 1)
        .read_to_end(&mut plain)
        .map_err(|_| Problem::with_detail(Code::BadRequest, "The request is not valid gzip."))?;
    if plain.len() > LIMIT {
        Err(Problem::new(Code::PayloadTooLarge))
    } else {
        Ok(plain)
    }
}

/// `application/json`, with or without parameters. A form on another site cannot send it without a preflight.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// serde's error texts can quote the body, and with it a password, so the detail gives only the position.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    // serde would accept an array for a struct, field by field.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::with_detail(Code::MalformedJson, NOT_ONE_OBJECT));
    }
    serde_json::from_slice(body).map_err(|error| {
        let detail = if error.is_data() {
            NOT_ONE_OBJECT.into()
        } else {
            format!(
                "The request is not valid JSON (line {}, column {}).",
                error.line(),
                error.column()
            )
        };
        Problem::with_detail(Code::MalformedJson, detail)
    })
}

/// What was sent for a JSON field, so that one response can name every error. An `Option` around it is `None` for
/// absent and null.
pub enum Sent<T> {
    Value(T),
    WrongType,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Sent<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(serde_json::from_value(value).map_or(Self::WrongType, Self::Value))
    }
}

pub trait Field<T> {
    /// The value, or the error that it is required.
    fn required(self) -> Result<T, FieldError>;
    /// `None` if nothing was sent.
    fn optional(self) -> Result<Option<T>, FieldError>;
    /// For fields that must never fail a request.
    fn lenient(self) -> Option<T>;
}

impl<T> Field<T> for Option<Sent<T>> {
    fn required(self) -> Result<T, FieldError> {
        self.optional()?.ok_or_else(FieldError::required)
    }

    fn optional(self) -> Result<Option<T>, FieldError> {
        match self {
            Some(Sent::Value(value)) => Ok(Some(value)),
            Some(Sent::WrongType) => Err(wrong_type::<T>()),
            None => Ok(None),
        }
    }

    fn lenient(self) -> Option<T> {
        self.optional().ok().flatten()
    }
}

fn wrong_type<T>() -> FieldError {
    let wanted = if std::any::type_name::<T>() == "bool" {
        "true or false"
    } else {
        "a string"
    };
    FieldError::new(FieldCode::Invalid, format!("Must be {wanted}."))
}
