//! Administration: one user.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::AdminUser;
use crate::auth::administration;
use crate::auth::administration::changes;
use crate::auth::services::Services;
use crate::domain::field::FieldErrors;
use crate::domain::role::Role;
use crate::http::api::views::{Accepted, Revoked, SessionInfo};
use crate::http::session::guards::{Admin, FreshAdmin};
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::item::id;
use crate::http::wire::problem::Problem;
use crate::http::wire::query::Query;
use crate::http::wire::refusals::{
    AdminRequired, FreshAdminRequired, Invalid, LoginRequired, NoDatabase, NoSuchItem, NotRemovable,
};

/// One user.
///
/// With what only administrators see.
#[utoipa::path(tag = "administration", security(("session" = [])),
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses(
        (status = 200, description = "The user.", body = AdminUser),
        LoginRequired, AdminRequired, NoSuchItem, NoDatabase,
))]
#[get("/admin/users/{id}")]
pub async fn show_user(
    services: Data<Services>,
    _: Admin,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let user = administration::find(&services, id(&path)?).await?;
    answer::ok(&AdminUser::from(user))
}

#[derive(Deserialize, ToSchema)]
pub struct DeleteUserRequest {
    /// The user's name, so that a slip does not do it. May stand in the query instead.
    #[schema(value_type = Option<String>, example = "susan")]
    username: Option<Sent<String>>,
}

/// Delete a user.
///
/// At once and for good, with all their data.
#[utoipa::path(tag = "administration", security(("session" = [])), request_body = DeleteUserRequest,
    params(
        ("id" = Uuid, Path, description = "The user's id."),
        ("username" = Option<String>, Query, description = "The user's name, if it is not in the body."),
    ),
    responses(
        (status = 204, description = "The user is gone."),
        LoginRequired, FreshAdminRequired, NoSuchItem, NotRemovable, Invalid, NoDatabase,
))]
#[delete("/admin/users/{id}")]
pub async fn delete_user(
    request: HttpRequest,
    services: Data<Services>,
    FreshAdmin(by): FreshAdmin,
    path: Path<String>,
    Json(form): Json<DeleteUserRequest>,
) -> Result<HttpResponse, Problem> {
    let id = id(&path)?;
    let query = Query::of(request.query_string());
    let username = query.complete("username", form.username)?;
    changes::delete(&services, id, &username, &by).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
pub struct RolesRequest {
    /// All roles that the user has from now on.
    #[schema(value_type = Vec<String>, required, example = json!(["editor:media", "viewer"]))]
    roles: Option<Sent<Vec<String>>>,
}

/// Set a user's roles.
///
/// Felt on every instance within 100 ms.
#[utoipa::path(tag = "administration", security(("session" = [])), request_body = RolesRequest,
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses(
        (status = 200, description = "The user with the new roles.", body = AdminUser),
        LoginRequired, FreshAdminRequired, NoSuchItem, NotRemovable, Invalid, NoDatabase,
))]
#[put("/admin/users/{id}/roles")]
pub async fn set_roles(
    services: Data<Services>,
    FreshAdmin(by): FreshAdmin,
    path: Path<String>,
    Json(form): Json<RolesRequest>,
) -> Result<HttpResponse, Problem> {
    let id = id(&path)?;
    let wanted = form
        .roles
        .required()
        .and_then(|texts| Role::all_to_grant(&texts));
    let wanted = wanted.map_err(|error| FieldErrors::from(("roles", error)))?;
    let user = changes::set_roles(&services, id, &wanted, &by).await?;
    answer::ok(&AdminUser::from(user))
}

/// Disable a user.
///
/// Their sessions end, and nobody can log in as them.
#[utoipa::path(tag = "administration", security(("session" = [])),
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses(
        (status = 204, description = "Disabled."),
        LoginRequired, FreshAdminRequired, NoSuchItem, NotRemovable, NoDatabase,
))]
#[post("/admin/users/{id}/disable")]
pub async fn disable_user(
    services: Data<Services>,
    FreshAdmin(by): FreshAdmin,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    changes::set_disabled(&services, id(&path)?, true, &by).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Enable a user.
///
/// They can log in again. Sessions that ended stay ended.
#[utoipa::path(tag = "administration", security(("session" = [])),
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses(
        (status = 204, description = "They can log in again."),
        LoginRequired, FreshAdminRequired, NoSuchItem, NoDatabase,
))]
#[post("/admin/users/{id}/enable")]
pub async fn enable_user(
    services: Data<Services>,
    FreshAdmin(by): FreshAdmin,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    changes::set_disabled(&services, id(&path)?, false, &by).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Mail a user a link to choose another password.
///
/// The present one goes on working, and nobody learns either. A disabled user gets no mail; the message says so.
#[utoipa::path(tag = "administration", security(("session" = [])),
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses(
        (status = 202, description = "What becomes of it.", body = Accepted),
        LoginRequired, FreshAdminRequired, NoSuchItem, NoDatabase,
))]
#[post("/admin/users/{id}/password-reset")]
pub async fn reset_password_of_user(
    services: Data<Services>,
    FreshAdmin(by): FreshAdmin,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let is_sent = changes::reset_password(&services, id(&path)?, &by).await?;
    Ok(Accepted::answer(match is_sent {
        true => "A mail with a link is on its way to the user.",
        false => "This user gets no mail: the account is disabled, or has no address.",
    }))
}

/// The sessions of a user.
///
/// Those that are alive, the last used first.
#[utoipa::path(tag = "administration", security(("session" = [])),
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses(
        (status = 200, description = "At most 50.", body = Vec<SessionInfo>),
        LoginRequired, AdminRequired, NoSuchItem, NoDatabase,
))]
#[get("/admin/users/{id}/sessions")]
pub async fn list_sessions_of_user(
    services: Data<Services>,
    Admin(visit): Admin,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let listed = administration::sessions(&services, id(&path)?).await?;
    let (own, lifetimes) = (visit.session().id, &services.policy.lifetimes);
    let shown = listed.into_iter();
    let shown: Vec<_> = shown
        .map(|one| SessionInfo::new(one, own, lifetimes))
        .collect();
    answer::ok(&shown)
}

/// End all sessions of a user.
///
/// On every browser and every instance, within 100 ms.
#[utoipa::path(tag = "administration", security(("session" = [])),
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses(
        (status = 200, description = "Ended.", body = Revoked),
        LoginRequired, FreshAdminRequired, NoSuchItem, NoDatabase,
))]
#[delete("/admin/users/{id}/sessions")]
pub async fn end_sessions_of_user(
    services: Data<Services>,
    FreshAdmin(by): FreshAdmin,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    let revoked = changes::end_sessions(&services, id(&path)?, &by).await?;
    answer::ok(&Revoked { revoked })
}

/// Turn off a user's second factor.
///
/// For somebody who has lost it. Their authenticator app, recovery codes and trusted browsers are gone, all their sessions
/// end, and a mail tells them. Passkeys stay as a way to log in.
#[utoipa::path(tag = "administration", security(("session" = [])),
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses(
        (status = 204, description = "It is off, or was before."),
        LoginRequired, FreshAdminRequired, NoSuchItem, NoDatabase,
))]
#[delete("/admin/users/{id}/second-factor")]
pub async fn reset_second_factor_of_user(
    services: Data<Services>,
    FreshAdmin(by): FreshAdmin,
    path: Path<String>,
) -> Result<HttpResponse, Problem> {
    changes::reset_second_factor(&services, id(&path)?, &by).await?;
    Ok(HttpResponse::NoContent().finish())
}
