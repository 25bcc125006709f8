//! A forgotten password, and "this was not me".

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::Accepted;
use crate::auth::recovery;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::password::same_twice;
use crate::domain::secret::MailToken;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::mailed::TokenRequest;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{Busy, Invalid, Limited, NoDatabase, VoidToken};

#[derive(Deserialize, ToSchema)]
pub struct ForgotPasswordRequest {
    #[schema(value_type = String, required, format = Email, max_length = 254, example = "susan@example.com")]
    email: Option<Sent<String>>,
}

/// Ask for a link to choose a new password.
///
/// The answer is the same for every address. The link leads to the reset page of your app, with the token behind
/// `#token=`, and works for an hour. Only the newest one works.
#[utoipa::path(tag = "password", request_body = ForgotPasswordRequest, responses(
    (status = 202, description = "If an account has this address, a mail is on its way.", body = Accepted),
    Invalid, Limited, NoDatabase,
))]
#[post("/password/forgot")]
pub async fn forgot_password(
    services: Data<Services>,
    Json(form): Json<ForgotPasswordRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let email = form.email.required().and_then(|text| Email::parse(&text));
    let email = email.map_err(|error| FieldErrors::from(("email", error)))?;
    recovery::forgot(&services, &email, &client).await?;
    Ok(Accepted::answer(
        "If an account has this address, a mail with a link is on its way.",
    ))
}

#[derive(Deserialize, ToSchema)]
pub struct ResetPasswordRequest {
    /// What follows `#token=` in the mailed link.
    #[schema(value_type = String, required, example = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    token: Option<Sent<String>>,
    #[schema(value_type = String, required, format = Password, min_length = 8, max_length = 256, example = "seven-Boats-under-9-moons")]
    password: Option<Sent<String>>,
    /// The password again, if your form asks twice.
    #[schema(value_type = Option<String>, format = Password, example = "seven-Boats-under-9-moons")]
    password2: Option<Sent<String>>,
}

/// Choose a new password by a mailed link.
///
/// Takes the token of a reset or of an invitation. Every session of the account ends, and nobody is logged in: your page
/// goes on to the login. After a 422 the token still works.
#[utoipa::path(tag = "password", request_body = ResetPasswordRequest, responses(
    (status = 204, description = "The password is set."),
    VoidToken, Invalid, Limited, Busy,
))]
#[post("/password/reset")]
pub async fn reset_password(
    services: Data<Services>,
    Json(form): Json<ResetPasswordRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let mut errors = FieldErrors::default();
    let token = errors.take("token", form.token.required());
    let password = errors.take("password", form.password.required());
    let again = errors
        .take("password2", form.password2.optional())
        .flatten();
    if let (Some(password), Some(again)) = (&password, again) {
        errors.take("password2", same_twice(password, &again));
    }
    let (Some(token), Some(password)) = (token, password.filter(|_| errors.is_empty())) else {
        return Err(errors.into());
    };
    recovery::reset(&services, MailToken::parse(&token), &password, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Take back a change that was not yours.
///
/// Takes the token of a notice, for seven days. Every session ends, the password is void, and a mail with a link to
/// choose another is on its way. For 72 hours, the account also gets back the address that the notice went to.
#[utoipa::path(tag = "account", request_body = TokenRequest, responses(
    (status = 204, description = "Everyone is logged out, and the password is void."),
    VoidToken, Invalid, Limited, NoDatabase,
))]
#[post("/account/not-me")]
pub async fn not_me(
    services: Data<Services>,
    Json(form): Json<TokenRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    recovery::not_me(&services, form.token()?, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}
