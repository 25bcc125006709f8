//! Request ids: in the response header, in problem details, and in the log.

use actix_web::HttpMessage;
use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use uuid::Uuid;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A version 7 UUID (RFC 9562). The ids of one instance sort by time.
#[derive(Clone, Copy)]
pub struct RequestId(pub Uuid);

impl RequestId {
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id that the edge assigned; nil without the edge.
    pub fn of(request: &HttpRequest) -> Self {
        let id = request.extensions().get::<Self>().copied();
        id.unwrap_or(Self(Uuid::nil()))
    }

    pub fn header_value(self) -> Option<HeaderValue> {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        HeaderValue::from_str(self.0.hyphenated().encode_lower(&mut text)).ok()
    }
}
