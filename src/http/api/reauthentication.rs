//! Prove again who you are.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::reauthentication;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::field::FieldErrors;
use crate::domain::password::PlainPassword;
use crate::http::session::browser::Browser;
use crate::http::session::guards::CurrentUser;
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::codes;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    Busy, Invalid, Limited, LoginRequired, NoPasskeys, SecondFactorToo, VoidChallenge,
};
use crate::http::wire::timestamp::Timestamp;

#[derive(Deserialize, ToSchema)]
pub struct ReauthenticateRequest {
    /// Required, unless there is a credential.
    #[schema(value_type = Option<String>, format = Password, min_length = 1, max_length = 256, example = "green-Lamp-42-river")]
    password: Option<Sent<String>>,
    /// If your second factor is on: what your authenticator app shows.
    #[schema(value_type = Option<String>, example = "492039")]
    code: Option<Sent<String>>,
    /// In place of code.
    #[schema(value_type = Option<String>, example = "7kq2-m0ra-x5vd-93fe")]
    recovery_code: Option<Sent<String>>,
    /// In place of all that, a passkey: what `navigator.credentials.get` gave, after `toJSON`.
    #[schema(value_type = Option<Object>)]
    credential: Option<Sent<Value>>,
}

#[derive(Serialize, ToSchema)]
pub struct Reauthenticated {
    authenticated_at: Timestamp,
    /// Until then, sensitive actions do not ask again.
    expires_at: Timestamp,
}

/// Confirm that it is you.
///
/// The session continues under a new cookie. Operations that need a recent proof answer reauthentication_required otherwise.
/// If your second factor is on, send a code with the password. A passkey alone is enough, too.
#[utoipa::path(tag = "account", security(("session" = [])), request_body = ReauthenticateRequest, responses(
    (status = 200, description = "Confirmed.", body = Reauthenticated,
        headers(("Set-Cookie" = String, description = "The session under its new key."))),
    LoginRequired, SecondFactorToo, NoPasskeys, VoidChallenge, Invalid, Limited, Busy,
))]
#[post("/reauthenticate")]
pub async fn reauthenticate(
    services: Data<Services>,
    user: CurrentUser,
    Json(form): Json<ReauthenticateRequest>,
    client: Client,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    let mut errors = FieldErrors::default();
    let has_other = form.password.is_some() || form.code.is_some() || form.recovery_code.is_some();
    let passkey = codes::credential(form.credential, has_other, &mut errors);
    let done = if let Some(passkey) = passkey {
        reauthentication::by_passkey(&services, &user.0, passkey, &client).await?
    } else {
        let password = form.password.required();
        let password = password.and_then(|text| PlainPassword::parse(&text));
        let password = errors.take("password", password);
        let code = codes::optional(form.code, form.recovery_code, &mut errors);
        let Some(password) = password.filter(|_| errors.is_empty()) else {
            return Err(errors.into());
        };
        reauthentication::by_password(&services, &user.0, password, code, &client).await?
    };
    browser.log_in(user.id(), done.issued);
    answer::ok(&Reauthenticated {
        authenticated_at: done.at.into(),
        expires_at: (done.at + services.policy.lifetimes.reauth).into(),
    })
}
