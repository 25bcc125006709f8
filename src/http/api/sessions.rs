//! A user's list of sessions, and ending them.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get};
use uuid::Uuid;

use super::views::{Revoked, SessionInfo};
use crate::auth::error::AuthError;
use crate::auth::services::Services;
use crate::auth::session;
use crate::domain::client::Client;
use crate::http::session::guards::CurrentUser;
use crate::http::wire::answer;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{LoginRequired, NoDatabase, NoSuchSession};

/// Your sessions, most recently used first.
///
/// Each is a browser in which you are logged in.
#[utoipa::path(tag = "sessions", security(("session" = [])), responses(
    (status = 200, description = "At most 50.", body = Vec<SessionInfo>),
    LoginRequired, NoDatabase,
))]
#[get("/sessions")]
pub async fn list_sessions(
    services: Data<Services>,
    user: CurrentUser,
) -> Result<HttpResponse, Problem> {
    let listed = session::list(&services, user.id()).await?;
    let lifetimes = &services.policy.lifetimes;
    let shown: Vec<_> = listed
        .into_iter()
        .map(|one| SessionInfo::new(one, user.session_id(), lifetimes))
        .collect();
    answer::ok(&shown)
}

/// End one of your sessions.
///
/// It ends at once, on every instance. Ending the current one is a logout that leaves the cookie in place.
#[utoipa::path(tag = "sessions", security(("session" = [])),
    params(("id" = Uuid, Path, description = "An id from the list.")),
    responses(
        (status = 204, description = "Ended."),
        LoginRequired, NoSuchSession, NoDatabase,
))]
#[delete("/sessions/{id}")]
pub async fn revoke_session(
    services: Data<Services>,
    user: CurrentUser,
    id: Path<String>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let id = Uuid::parse_str(&id).map_err(|_| AuthError::SessionNotFound)?;
    session::revoke(&services, user.id(), id, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// End all your sessions but this one.
///
/// Needs no password: it is the panic button.
#[utoipa::path(tag = "sessions", security(("session" = [])), responses(
    (status = 200, description = "Ended.", body = Revoked),
    LoginRequired, NoDatabase,
))]
#[delete("/sessions")]
pub async fn revoke_other_sessions(
    services: Data<Services>,
    user: CurrentUser,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let revoked = session::revoke_others(&services, user.id(), user.session_id(), &client).await?;
    answer::ok(&Revoked { revoked })
}
