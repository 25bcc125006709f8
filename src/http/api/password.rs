//! Giving the password again, and changing it.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sessions::Revoked;
use crate::auth::{Services, password};
use crate::domain::client::Client;
use crate::http::session::browser::{Browser, CurrentUser};
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::problem::Problem;
use crate::http::wire::timestamp::Timestamp;

#[derive(Deserialize, ToSchema)]
pub struct ReauthenticateRequest {
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 256, example = "green-Lamp-42-river")]
    password: Option<Sent<String>>,
}

#[derive(Serialize, ToSchema)]
pub struct Reauthenticated {
    authenticated_at: Timestamp,
    /// Until then sensitive actions do not ask for the password again.
    expires_at: Timestamp,
}

#[derive(Deserialize, ToSchema)]
pub struct ChangePasswordRequest {
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 256, example = "green-Lamp-42-river")]
    current_password: Option<Sent<String>>,
    #[schema(value_type = String, required, format = Password, min_length = 8, max_length = 256, example = "seven-Boats-under-9-moons")]
    new_password: Option<Sent<String>>,
}

/// Give the password again.
///
/// Sensitive actions want it recent and answer reauthentication_required otherwise.
#[utoipa::path(tag = "password", security(("session" = [])), request_body = ReauthenticateRequest, responses(
    (status = 200, description = "Right.", body = Reauthenticated),
    (status = 401, description = "not_authenticated, invalid_credentials"),
    (status = 422, description = "validation_failed"),
))]
#[post("/reauthenticate")]
pub async fn reauthenticate(
    services: Data<Services>,
    user: CurrentUser,
    Json(form): Json<ReauthenticateRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let done =
        password::reauthenticate(&services, &user.0, form.password.required(), &client).await?;
    let expires_at = done + services.policy.lifetimes.reauth;
    Ok(HttpResponse::Ok().json(Reauthenticated {
        authenticated_at: done.into(),
        expires_at: expires_at.into(),
    }))
}

/// Change the password.
///
/// Your other sessions end, and this one goes on under a new cookie.
#[utoipa::path(tag = "password", security(("session" = [])), request_body = ChangePasswordRequest, responses(
    (status = 200, description = "Changed.", body = Revoked,
        headers(("Set-Cookie" = String, description = "The session under its new key."))),
    (status = 401, description = "not_authenticated, invalid_credentials"),
    (status = 422, description = "validation_failed"),
))]
#[post("/password/change")]
pub async fn change_password(
    services: Data<Services>,
    user: CurrentUser,
    Json(form): Json<ChangePasswordRequest>,
    client: Client,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    let (current, new) = (
        form.current_password.required(),
        form.new_password.required(),
    );
    let changed = password::change(&services, &user.0, current, new, &client).await?;
    browser.log_in(user.id(), changed.key, changed.keep_for, changed.devices)?;
    Ok(HttpResponse::Ok().json(Revoked {
        revoked: changed.revoked,
    }))
}
