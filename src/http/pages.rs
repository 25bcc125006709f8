//! What people look at: Swagger UI, from the binary.

use actix_web::http::header::HeaderValue;
use actix_web::{HttpResponse, get};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Only files of this server run here. Swagger UI styles its elements in place and shows data: images.
pub const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

pub fn is_page(path: &str) -> bool {
    path.starts_with("/swagger-ui")
}

pub fn swagger_ui() -> SwaggerUi {
    let config = Config::from("/api/openapi.json")
        .with_credentials(true)
        .try_it_out_enabled(true);
    SwaggerUi::new("/swagger-ui/{file:.*}").config(config)
}

#[get("/swagger-ui")]
pub async fn swagger_ui_without_slash() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header(("Location", "/swagger-ui/"))
        .finish()
}
