//! A user's own security log.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::EventView;
use crate::auth::events::history::{self, Wanted};
use crate::auth::services::Services;
use crate::domain::field::FieldErrors;
use crate::http::session::guards::CurrentUser;
use crate::http::wire::problem::Problem;
use crate::http::wire::query::Query;
use crate::http::wire::refusals::{Invalid, LoginRequired, NoDatabase};
use crate::http::wire::{answer, cursor};

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
    params(("cursor" = Option<String>, Query, description = "The next_cursor of the previous page.")),
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
    let query = Query::of(request.query_string());
    let before = cursor::read(&query, cursor::to_moment);
    let before = before.map_err(|error| FieldErrors::from(("cursor", error)))?;
    let (rows, end) = history::page(&services, &Wanted::of_user(user.id()), before).await?;
    let page = EventPage {
        events: rows.into_iter().map(EventView::from).collect(),
        next_cursor: end.map(cursor::of_moment),
    };
    answer::ok(&page)
}
