//! Administration: find and invite users.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::{Page, cursor_of};
use super::views::AdminUser;
use crate::auth::administration;
use crate::auth::administration::changes;
use crate::auth::services::Services;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::role::Role;
use crate::domain::username::Username;
use crate::http::session::guards::{Admin, FreshAdmin};
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    AdminRequired, FreshAdminRequired, Invalid, LoginRequired, NoDatabase,
};

#[derive(Serialize, ToSchema)]
pub struct AdminUserPage {
    users: Vec<AdminUser>,
    /// Gets the next page; null on the last.
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct RoleCount {
    #[schema(example = "editor:media")]
    role: String,
    users: i64,
}

/// Find users.
///
/// In the order of registration. With `q`, those whose username begins with it, then those whose address does.
#[utoipa::path(tag = "administration", security(("session" = [])),
    params(
        ("q" = Option<String>, Query, description = "What a username or an address begins with, in any case.", min_length = 2),
        ("role" = Option<String>, Query, description = "Exactly this role."),
        ("state" = Option<String>, Query, description = "active, disabled or unverified."),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the previous page."),
        ("limit" = Option<u32>, Query, description = "Users on a page: 50, or up to 100.", minimum = 1, maximum = 100),
    ),
    responses(
        (status = 200, description = "A page of users.", body = AdminUserPage),
        LoginRequired, AdminRequired, Invalid, NoDatabase,
))]
#[get("/admin/users")]
pub async fn find_users(
    request: HttpRequest,
    services: Data<Services>,
    _: Admin,
) -> Result<HttpResponse, Problem> {
    let page = Page::parse(request.query_string())?;
    let after = page.after.as_ref();
    let found = administration::search(&services, &page.filter, after, page.limit).await?;
    answer::ok(&AdminUserPage {
        users: found.users.into_iter().map(AdminUser::from).collect(),
        next_cursor: found.end.as_ref().map(cursor_of),
    })
}

#[derive(Deserialize, ToSchema)]
pub struct InviteRequest {
    #[schema(value_type = String, required, min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9._-]+$", example = "miguel")]
    username: Option<Sent<String>>,
    #[schema(value_type = String, required, format = Email, max_length = 254, example = "miguel@example.com")]
    email: Option<Sent<String>>,
    #[schema(value_type = Option<Vec<String>>, example = json!(["editor:media"]))]
    roles: Option<Sent<Vec<String>>>,
}

/// Invite a user.
///
/// A mail with a link lets them choose a password, within 72 hours.
#[utoipa::path(tag = "administration", security(("session" = [])), request_body = InviteRequest, responses(
    (status = 201, description = "Invited.", body = AdminUser),
    LoginRequired, FreshAdminRequired, Invalid, NoDatabase,
))]
#[post("/admin/users")]
pub async fn invite_user(
    services: Data<Services>,
    FreshAdmin(by): FreshAdmin,
    Json(form): Json<InviteRequest>,
) -> Result<HttpResponse, Problem> {
    let mut errors = FieldErrors::default();
    let username = form.username.required();
    let username = errors.take("username", username.and_then(|text| Username::parse(&text)));
    let email = form.email.required();
    let email = errors.take("email", email.and_then(|text| Email::parse(&text)));
    let granted = form.roles.optional().map(Option::unwrap_or_default);
    let granted = errors.take(
        "roles",
        granted.and_then(|texts| Role::all_to_grant(&texts)),
    );
    let (Some(username), Some(email), Some(granted)) = (username, email, granted) else {
        return Err(errors.into());
    };
    let user = changes::invite(&services, &username, &email, &granted, &by).await?;
    Ok(HttpResponse::Created().json(AdminUser::from(user)))
}

/// Which roles are there?
///
/// Every role that somebody has, and how many have it.
#[utoipa::path(tag = "administration", security(("session" = [])), responses(
    (status = 200, description = "In alphabetical order.", body = Vec<RoleCount>),
    LoginRequired, AdminRequired, NoDatabase,
))]
#[get("/admin/roles")]
pub async fn list_roles(services: Data<Services>, _: Admin) -> Result<HttpResponse, Problem> {
    let counts = administration::role_counts(&services).await?;
    let counts = counts.into_iter();
    let counts: Vec<_> = counts
        .map(|(role, users)| RoleCount { role, users })
        .collect();
    answer::ok(&counts)
}
