//! What operators and tools ask: health, the error codes, the OpenAPI document.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Services;
use crate::auth::error::AuthError;
use crate::http::Site;
use crate::http::wire::problem::{Code, Problem};
use crate::http::wire::static_body::StaticBody;

/// Documents that never change while the process runs, made once.
pub struct Documents {
    pub openapi: Bytes,
    /// Every path with its methods.
    pub operations: Vec<(String, Vec<String>)>,
}

/// Set when the process is about to end, so that a balancer sends nothing more.
#[derive(Default)]
pub struct Health {
    pub draining: AtomicBool,
}

/// One error code.
#[derive(Serialize, ToSchema)]
pub struct ErrorInfo {
    code: Code,
    status: u16,
    title: &'static str,
    meaning: &'static str,
}

#[derive(Serialize, ToSchema)]
pub struct HealthStatus {
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: HealthStatus = HealthStatus { status: "ok" };

/// Every error code with its meaning.
#[utoipa::path(tag = "operations", responses((status = 200, description = "All of them.", body = Vec<ErrorInfo>)))]
#[get("/errors")]
pub async fn errors() -> HttpResponse {
    let info = |code: &Code| {
        let (status, title, meaning) = code.facts();
        ErrorInfo {
            code: *code,
            status,
            title,
            meaning,
        }
    };
    HttpResponse::Ok().json(Code::ALL.iter().map(info).collect::<Vec<_>>())
}

/// This document.
#[utoipa::path(tag = "operations", responses(
    (status = 200, description = "OpenAPI 3.1.", body = serde_json::Value, content_type = "application/json"),
))]
#[get("/openapi.json")]
pub async fn openapi_document(documents: Data<Documents>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(StaticBody(documents.openapi.clone()))
}

/// The process runs.
#[utoipa::path(tag = "operations", responses((status = 200, description = "It does.", body = HealthStatus)))]
#[get("/health/live")]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(OK)
}

/// The process can serve: the database answers and takes writes.
#[utoipa::path(tag = "operations", responses((status = 200, description = "It can.", body = HealthStatus)))]
#[get("/health/ready")]
pub async fn ready(services: Data<Services>, site: Data<Site>) -> Result<HttpResponse, Problem> {
    if site.health.draining.load(Ordering::Relaxed) {
        let stopping = Problem::with_detail(Code::Overloaded, "This instance is about to stop.");
        return Err(Problem {
            retry_after: Some(1),
            ..stopping
        });
    }
    // A balancer that asks every second shall not wait longer than that.
    let asked = services.db.can_write();
    match tokio::time::timeout(Duration::from_secs(1), asked).await {
        Ok(Ok(_)) => Ok(HttpResponse::Ok().json(OK)),
        Ok(Err(error)) => Err(AuthError::from(error).into()),
        Err(_) => {
            Err(AuthError::DatabaseUnavailable("no answer within a second".to_owned()).into())
        }
    }
}
