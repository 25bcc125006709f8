//! Change the password.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::Revoked;
use crate::auth::password;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::field::FieldErrors;
use crate::domain::password::PlainPassword;
use crate::http::session::browser::Browser;
use crate::http::session::guards::CurrentUser;
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{Busy, FreshLoginRequired, Invalid, Limited, LoginRequired};

#[derive(Deserialize, ToSchema)]
pub struct ChangePasswordRequest {
    /// Required, unless you have no password.
    #[schema(value_type = Option<String>, format = Password, min_length = 1, max_length = 256, example = "green-Lamp-42-river")]
    current_password: Option<Sent<String>>,
    #[schema(value_type = String, required, format = Password, min_length = 8, max_length = 256, example = "seven-Boats-under-9-moons")]
    new_password: Option<Sent<String>>,
}

impl From<ChangePasswordRequest> for password::ChangeForm {
    fn from(form: ChangePasswordRequest) -> Self {
        let mut errors = FieldErrors::default();
        let current = form.current_password.optional();
        let parse = |text: Option<String>| text.map(|text| PlainPassword::parse(&text)).transpose();
        let current = errors.take("current_password", current.and_then(parse));
        Self {
            current: current.flatten(),
            new: errors.take("new_password", form.new_password.required()),
            errors,
        }
    }
}

/// Change the password.
///
/// Your other sessions end, and this one continues under a new cookie. A mail tells you of it. If you have no password,
/// leave out current_password; this needs a recent login instead.
#[utoipa::path(tag = "password", security(("session" = [])), request_body = ChangePasswordRequest, responses(
    (status = 200, description = "Changed.", body = Revoked,
        headers(("Set-Cookie" = String, description = "The session under its new key."))),
    LoginRequired, FreshLoginRequired, Invalid, Limited, Busy,
))]
#[post("/password/change")]
pub async fn change_password(
    services: Data<Services>,
    user: CurrentUser,
    Json(form): Json<ChangePasswordRequest>,
    client: Client,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    let changed = password::change(&services, &user.0, form.into(), &client).await?;
    browser.log_in(user.id(), changed.issued);
    answer::ok(&Revoked {
        revoked: changed.revoked,
    })
}
