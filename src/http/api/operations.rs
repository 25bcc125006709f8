//! For operators and tools: health, the error codes, the OpenAPI document.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpResponse, get};
use serde::Serialize;
use strum::VariantArray;
use utoipa::ToSchema;

use crate::auth::error::AuthError;
use crate::auth::services::Services;
use crate::http::site::Site;
use crate::http::wire::answer;
use crate::http::wire::code::Code;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::Busy;
use crate::http::wire::static_body::StaticBody;

/// Documents built once at start.
pub struct Documents {
    pub openapi: Bytes,
    /// Every path and its methods.
    pub operations: Vec<(String, Vec<&'static str>)>,
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

/// Every error code and its meaning.
///
/// For developers; `detail` in a response is for people.
#[utoipa::path(tag = "operations", responses((status = 200, description = "All of them.", body = Vec<ErrorInfo>)))]
#[get("/errors")]
pub async fn errors() -> Result<HttpResponse, Problem> {
    let info = |code: &Code| {
        let facts = code.facts();
        ErrorInfo {
            code: *code,
            status: facts.status.as_u16(),
            title: facts.title,
            meaning: facts.meaning,
        }
    };
    answer::ok(&Code::VARIANTS.iter().map(info).collect::<Vec<_>>())
}

/// This document.
///
/// Generated from the handlers, for client generators and Swagger UI.
#[utoipa::path(tag = "operations", responses(
    (status = 200, description = "OpenAPI 3.1.", body = serde_json::Value, content_type = "application/json"),
))]
#[get("/openapi.json")]
pub async fn openapi_document(documents: Data<Documents>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(StaticBody(documents.openapi.clone()))
}

/// Is the process running?
///
/// For supervisors. Does not query the database.
#[utoipa::path(tag = "operations", responses((status = 200, description = "Yes.", body = HealthStatus)))]
#[get("/health/live")]
pub async fn live() -> Result<HttpResponse, Problem> {
    answer::ok(&OK)
}

/// Can the process serve requests?
///
/// For load balancers: the database accepts writes, and the process is not about to stop.
#[utoipa::path(tag = "operations", responses(
    (status = 200, description = "Yes.", body = HealthStatus),
    Busy,
))]
#[get("/health/ready")]
pub async fn ready(services: Data<Services>, site: Data<Site>) -> Result<HttpResponse, Problem> {
    if site.health.draining.load(Ordering::Relaxed) {
        let stopping = Problem::with_detail(
            Code::Overloaded,
            "The server is about to stop. Please try again in a moment.",
        );
        return Err(Problem {
            retry_after: Some(1),
            ..stopping
        });
    }
    // A balancer that polls every second must not wait longer than that.
    let asked = services.db.can_write();
    match tokio::time::timeout(Duration::from_secs(1), asked).await {
        Ok(Ok(_)) => answer::ok(&OK),
        Ok(Err(error)) => Err(AuthError::from(error).into()),
        Err(_) => {
            Err(AuthError::DatabaseUnavailable("no answer within a second".to_owned()).into())
        }
    }
}
