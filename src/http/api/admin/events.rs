//! Administration: what happened to all accounts.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::query::Query;
use crate::auth::administration::{self, Wanted};
use crate::auth::events::history::PAGE;
use crate::auth::services::Services;
use crate::domain::field::FieldErrors;
use crate::http::api::views::EventView;
use crate::http::session::guards::Admin;
use crate::http::wire::answer;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{AdminRequired, Invalid, LoginRequired, NoDatabase};
use crate::store::events::Event;

/// Something that happened to an account.
#[derive(Serialize, ToSchema)]
pub struct AdminEvent {
    /// Null if nobody has the name that was tried, or it was no user's doing.
    user_id: Option<Uuid>,
    #[serde(flatten)]
    event: EventView,
}

#[derive(Serialize, ToSchema)]
pub struct AdminEventPage {
    events: Vec<AdminEvent>,
    /// Gets the next page; null on the last.
    next_cursor: Option<String>,
}

impl From<(Event, Option<Uuid>)> for AdminEvent {
    fn from((event, user_id): (Event, Option<Uuid>)) -> Self {
        Self {
            user_id,
            event: event.into(),
        }
    }
}

/// What happened.
///
/// Newest first, kept for 90 days.
#[utoipa::path(tag = "administration", security(("session" = [])),
    params(
        ("user" = Option<String>, Query, description = "Only what happened to the user with this id.", format = Uuid),
        ("actor" = Option<String>, Query, description = "Only what the administrator with this id did.", format = Uuid),
        ("kind" = Option<String>, Query, description = "Only events of this kind."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the previous page.", format = Uuid),
    ),
    responses(
        (status = 200, description = "At most 50.", body = AdminEventPage),
        LoginRequired, AdminRequired, Invalid, NoDatabase,
))]
#[get("/admin/events")]
pub async fn list_all_events(
    request: HttpRequest,
    services: Data<Services>,
    _: Admin,
) -> Result<HttpResponse, Problem> {
    let query = Query::of(request.query_string());
    let mut errors = FieldErrors::default();
    let user_id = errors.take("user", query.id("user"));
    let actor_id = errors.take("actor", query.id("actor"));
    let before = errors.take("cursor", query.id("cursor"));
    let (Some(user_id), Some(actor_id), Some(before)) = (user_id, actor_id, before) else {
        return Err(errors.into());
    };
    let kind = query.get("kind").map(|kind| kind.replace('\0', ""));
    let wanted = Wanted {
        user_id,
        actor_id,
        kind,
    };
    let (events, last) = administration::events(&services, &wanted, before, PAGE).await?;
    answer::ok(&AdminEventPage {
        events: events.into_iter().map(AdminEvent::from).collect(),
        next_cursor: last.map(|id| id.to_string()),
    })
}
