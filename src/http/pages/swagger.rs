//! Swagger UI, embedded in the binary.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::{Bytes, Path};
use actix_web::{HttpResponse, get};
use utoipa_swagger_ui::serve;

use crate::http::wire::code::Code;
use crate::http::wire::page;
use crate::http::wire::problem::Problem;
use crate::http::wire::static_body::StaticBody;

/// Only files from this server may run. Swagger UI uses inline styles and data: images.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

/// The page, with our title and our script in place of the one that is made for any document.
const INDEX: &str = r##"<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="UTF-8">
    <title>Latchkey API</title>
    <link rel="stylesheet" href="swagger-ui.css">
    <link rel="stylesheet" href="index.css">
    <link rel="icon" type="image/png" href="favicon-32x32.png" sizes="32x32">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="swagger-ui-bundle.js"></script>
    <script type="module" src="latchkey.js"></script>
  </body>
</html>
"##;
const SCRIPT: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/http/pages/swagger.js"
));

/// utoipa-swagger-ui's own service copies the file for each response.
#[get("/swagger-ui/{file:.*}")]
pub async fn swagger_ui(file: Path<String>) -> Result<HttpResponse<StaticBody>, Problem> {
    let (bytes, kind) = match file.as_str() {
        "" | "index.html" => (
            Bytes::from_static(INDEX.as_bytes()),
            "text/html; charset=utf-8".to_owned(),
        ),
        "latchkey.js" => (
            Bytes::from_static(SCRIPT.as_bytes()),
            "text/javascript; charset=utf-8".to_owned(),
        ),
        file => vendored(file)?,
    };
    let mut response = HttpResponse::with_body(actix_web::http::StatusCode::OK, StaticBody(bytes));
    if let Ok(kind) = HeaderValue::from_str(&kind) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    page::mark(&mut response, Some(CSP));
    Ok(response)
}

/// A file of Swagger UI's, with its type.
fn vendored(file: &str) -> Result<(Bytes, String), Problem> {
    let served = serve(file, Arc::default()).map_err(|error| Problem {
        cause: Some(error.to_string()),
        ..Problem::new(Code::InternalError)
    })?;
    let found = served.ok_or_else(|| Problem::new(Code::NotFound))?;
    let bytes = match found.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Ok((bytes, found.content_type))
}

#[get("/swagger-ui")]
pub async fn swagger_ui_without_slash() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header(("Location", "/swagger-ui/"))
        .finish()
}
