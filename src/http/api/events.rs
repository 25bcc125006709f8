//! A user's own security log.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::views::EventView;
use crate::auth::events::history;
use crate::auth::services::Services;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::http::session::guards::CurrentUser;
use crate::http::wire::answer;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{Invalid, LoginRequired, NoDatabase};

#[derive(Serialize, ToSchema)]
pub struct EventPage {
    events: Vec<EventView>,
    /// Gets the next page; null on the last.
    next_cursor: Option<String>,
}

/// Your security log.
///
/// Newest first, kept for 90 days. The next request already lists what has just happened.
#[utoipa::path(tag = "account", security(("session" = [])),
    params(("cursor" = Option<String>, Query, description = "The next_cursor of the previous page.", format = Uuid)),
    responses(
        (status = 200, description = "At most 50.", body = EventPage),
        LoginRequired, Invalid, NoDatabase,
))]
#[get("/me/events")]
pub async fn list_events(
    request: HttpRequest,
    services: Data<Services>,
    user: CurrentUser,
) -> Result<HttpResponse, Problem> {
    let before = cursor(request.query_string())?;
    let (rows, next) = history::page(&services, user.id(), before).await?;
    let page = EventPage {
        events: rows.into_iter().map(EventView::from).collect(),
        next_cursor: next.map(|id| id.to_string()),
    };
    answer::ok(&page)
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
