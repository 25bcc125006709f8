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

/// What you can log in with, and what else your logins ask for.
#[derive(Serialize, ToSchema)]
pub struct LoginMethods {
    /// False after "this was not me", until another password is chosen.
    password: bool,
    /// An authenticator app.
    totp: bool,
    passkeys: i64,
    /// The names of the providers.
    #[schema(example = json!(["google"]))]
    identities: Vec<String>,
    email_code: bool,
    second_factor_required: bool,
    recovery_codes_left: i64,
    trusted_devices: i64,
}

/// How can I log in?
///
/// For a page with the settings of an account. What this server does not offer is false, 0 or empty.
#[utoipa::path(tag = "account", security(("session" = [])), responses(
    (status = 200, description = "The ways into your account.", body = LoginMethods),
    LoginRequired, NoDatabase,
))]
#[get("/login-methods")]
pub async fn login_methods(
    services: Data<Services>,
    user: CurrentUser,
) -> Result<HttpResponse, Problem> {
    let ways = methods::of(&services, user.id()).await?;
    let name = |issuer: &String| {
        let provider = services.providers.of_issuer(issuer);
        provider.map(|provider| provider.entry.name.clone())
    };
    answer::ok(&LoginMethods {
        password: ways.password,
        totp: ways.totp,
        passkeys: ways.passkeys,
        identities: ways.identities.iter().filter_map(name).collect(),
        email_code: false,
        second_factor_required: ways.second_factor_required,
        recovery_codes_left: ways.recovery_codes,
        trusted_devices: ways.trusted_devices,
    })
}
