//! The ways into your account.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::methods;
use crate::auth::services::Services;
use crate::http::session::guards::CurrentUser;
use crate::http::wire::answer;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{LoginRequired, NoDatabase};

/// What you can log in with. So far, Latchkey knows only passwords; the other fields let you write your page for what
/// comes.
#[derive(Serialize, ToSchema)]
pub struct LoginMethods {
    /// False after "this was not me", until another password is chosen.
    password: bool,
    totp: bool,
    passkeys: u32,
    identities: Vec<String>,
    email_code: bool,
    second_factor_required: bool,
    recovery_codes_left: u32,
    trusted_devices: u32,
}

/// How can I log in?
///
/// For a page with the settings of an account. What Latchkey does not offer yet is false, 0 or empty.
#[utoipa::path(tag = "account", security(("session" = [])), responses(
    (status = 200, description = "The ways into your account.", body = LoginMethods),
    LoginRequired, NoDatabase,
))]
#[get("/login-methods")]
pub async fn login_methods(
    services: Data<Services>,
    CurrentUser(visit): CurrentUser,
) -> Result<HttpResponse, Problem> {
    let methods = methods::of(&services, &visit).await?;
    answer::ok(&LoginMethods {
        password: methods.password,
        totp: false,
        passkeys: 0,
        identities: Vec::new(),
        email_code: false,
        second_factor_required: false,
        recovery_codes_left: 0,
        trusted_devices: 0,
    })
}
