//! Pages for people: Swagger UI, embedded in the binary.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::{Bytes, Path};
use actix_web::{HttpResponse, get};
use utoipa_swagger_ui::{Config, serve};

use super::wire::code::Code;
use super::wire::problem::Problem;
use super::wire::static_body::StaticBody;

/// Only files from this server may run. Swagger UI uses inline styles and data: images.
pub const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

pub fn is_page(path: &str) -> bool {
    path.starts_with("/swagger-ui")
}

/// utoipa-swagger-ui's own service copies the file for each response.
#[get("/swagger-ui/{file:.*}")]
pub async fn swagger_ui(file: Path<String>) -> Result<HttpResponse<StaticBody>, Problem> {
    let config = Config::from("/api/openapi.json")
        .with_credentials(true)
        .try_it_out_enabled(true);
    let served = serve(&file, Arc::new(config)).map_err(|error| Problem {
        cause: Some(error.to_string()),
        ..Problem::new(Code::InternalError)
    })?;
    let found = served.ok_or_else(|| Problem::new(Code::NotFound))?;
    let bytes = match found.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut response = HttpResponse::with_body(actix_web::http::StatusCode::OK, StaticBody(bytes));
    if let Ok(kind) = HeaderValue::from_str(&found.content_type) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    Ok(response)
}

#[get("/swagger-ui")]
pub async fn swagger_ui_without_slash() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header(("Location", "/swagger-ui/"))
        .finish()
}
