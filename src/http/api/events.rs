//! One's own security log.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::{Services, events};
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::http::session::browser::CurrentUser;
use crate::http::wire::problem::Problem;
use crate::http::wire::timestamp::Timestamp;
use crate::store::events::Event;

/// Something that happened to your account.
#[derive(Serialize, ToSchema)]
pub struct EventInfo {
    #[schema(example = "logged_in")]
    kind: String,
    created_at: Timestamp,
    ip: String,
    user_agent: Option<String>,
    request_id: Uuid,
}

#[derive(Serialize, ToSchema)]
pub struct EventPage {
    events: Vec<EventInfo>,
    /// Asks for the next page; null on the last.
    next_cursor: Option<String>,
}

impl From<Event> for EventInfo {
    fn from(event: Event) -> Self {
        Self {
            kind: event.kind,
            created_at: event.created_at.into(),
            ip: event.ip.addr().to_string(),
            user_agent: event.user_agent,
            request_id: event.request_id,
        }
    }
}

/// Your security log.
///
/// The newest first, kept for 90 days. What just happened is there in the next request.
#[utoipa::path(tag = "account", security(("session" = [])),
    params(("cursor" = Option<String>, Query, description = "next_cursor of the page before.", format = Uuid)),
    responses(
        (status = 200, description = "At most 50.", body = EventPage),
        (status = 401, description = "not_authenticated"),
        (status = 422, description = "validation_failed"),
))]
#[get("/me/events")]
pub async fn list_events(
    request: HttpRequest,
    services: Data<Services>,
    user: CurrentUser,
) -> Result<HttpResponse, Problem> {
    let before = cursor(request.query_string())?;
    let (rows, next) = events::page(&services, user.id(), before).await?;
    let page = EventPage {
        events: rows.into_iter().map(EventInfo::from).collect(),
        next_cursor: next.map(|id| id.to_string()),
    };
    Ok(HttpResponse::Ok().json(page))
}

fn cursor(query: &str) -> Result<Option<Uuid>, FieldErrors> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let Some((_, text)) = pairs.find(|(name, _)| name == "cursor") else {
        return Ok(None);
    };
    let error = || FieldError::new(FieldCode::Invalid, "Use next_cursor of the page before.");
    let cursor = Uuid::parse_str(&text).map_err(|_| FieldErrors::from(("cursor", error())))?;
    Ok(Some(cursor))
}
