//! Administration: what happened to all accounts.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::query::{id_in, invalid};
use crate::auth::events::Kind;
use crate::auth::events::history::{self, Wanted};
use crate::auth::services::Services;
use crate::domain::field::FieldErrors;
use crate::http::api::views::{EventKind, EventView};
use crate::http::session::guards::Admin;
use crate::http::wire::problem::Problem;
use crate::http::wire::query::Query;
use crate::http::wire::refusals::{AdminRequired, Invalid, LoginRequired, NoDatabase};
use crate::http::wire::{answer, cursor};
use crate::store::events::Event;

/// Something that happened to an account.
#[derive(Serialize, ToSchema)]
pub struct AdminEvent {
    /// To whom, even if they have been deleted since. Null if nobody has the name that was tried, or nobody did it.
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

impl From<Event> for AdminEvent {
    fn from(event: Event) -> Self {
        Self {
            user_id: event.about(),
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
        ("kind" = inline(Option<EventKind>), Query, description = "Only events of this kind."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the previous page."),
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
    let user_id = errors.take("user", id_in(&query, "user"));
    let actor_id = errors.take("actor", id_in(&query, "actor"));
    let before = errors.take("cursor", cursor::read(&query, cursor::to_moment));
    let parse = |text: &str| {
        text.parse::<Kind>()
            .map_err(|_| invalid("Use a kind of event."))
    };
    let kind = query.get("kind").map(parse);
    let kind = errors.take("kind", kind.transpose());
    let (Some(user_id), Some(actor_id), Some(kind), Some(before)) =
        (user_id, actor_id, kind, before)
    else {
        return Err(errors.into());
    };
    let wanted = Wanted {
        user_id,
        with_deletion: true,
        actor_id,
        kind: kind.map(Kind::into),
    };
    let (events, end) = history::page(&services, &wanted, before).await?;
    answer::ok(&AdminEventPage {
        events: events.into_iter().map(AdminEvent::from).collect(),
        next_cursor: end.map(cursor::of_moment),
    })
}
