//! Verify an address, and move to another one.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::Accepted;
use crate::auth::email;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::{FieldError, FieldErrors};
use crate::domain::password::PlainPassword;
use crate::domain::secret::MailToken;
use crate::http::session::guards::{FreshUser, Visitor};
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::mailed::TokenRequest;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    Busy, FreshLoginRequired, Invalid, Limited, LoginRequired, NoDatabase, VoidToken,
};

#[derive(Deserialize, ToSchema)]
pub struct VerifyEmailRequest {
    /// What follows `#token=` in the mailed link.
    #[schema(value_type = String, required, example = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    token: Option<Sent<String>>,
    /// The password of the account. Required where addresses must be verified (require_verified_email), unless its user
    /// is logged in.
    #[schema(value_type = Option<String>, format = Password, example = "green-Lamp-42-river")]
    password: Option<Sent<String>>,
}

/// Verify an address.
///
/// Takes the token of the mail that follows a registration, for 24 hours. Does nothing else, and logs nobody in.
#[utoipa::path(tag = "e-mail", request_body = VerifyEmailRequest, responses(
    (status = 204, description = "The address is verified."),
    VoidToken, Invalid, Limited, Busy,
))]
#[post("/email/verify")]
pub async fn verify_email(
    services: Data<Services>,
    Visitor(visit): Visitor,
    Json(form): Json<VerifyEmailRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let mut errors = FieldErrors::default();
    let token = errors.take("token", form.token.required());
    let password = form.password.optional();
    let parse = |text: Option<String>| text.map(|text| PlainPassword::parse(&text)).transpose();
    let password = errors.take("password", password.and_then(parse)).flatten();
    let Some(token) = token.filter(|_| errors.is_empty()) else {
        return Err(errors.into());
    };
    let token = MailToken::parse(&token);
    email::verify(&services, token, password, visit.as_ref(), &client).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
pub struct ResendRequest {
    /// Inside a session, leave it out to use the user's own address.
    #[schema(value_type = Option<String>, format = Email, max_length = 254, example = "susan@example.com")]
    email: Option<Sent<String>>,
}

/// Send the verification mail again.
///
/// The answer is the same for every address. Only the newest link works.
#[utoipa::path(tag = "e-mail", request_body = ResendRequest, responses(
    (status = 202, description = "If this address still needs to be verified, a mail is on its way.", body = Accepted),
    Invalid, Limited, NoDatabase,
))]
#[post("/email/verify/resend")]
pub async fn resend_verification(
    services: Data<Services>,
    Visitor(visit): Visitor,
    Json(form): Json<ResendRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let email = form.email.optional();
    let email = email.and_then(|text| text.map(|text| Email::parse(&text)).transpose());
    let email = email.map_err(|error| FieldErrors::from(("email", error)))?;
    match (email, visit) {
        (Some(email), _) => email::resend(&services, &email, &client).await?,
        (None, Some(visit)) => email::resend_own(&services, &visit, &client).await?,
        (None, None) => return Err(FieldErrors::from(("email", FieldError::required())).into()),
    }
    Ok(Accepted::answer(
        "If this address still needs to be confirmed, a mail with a link is on its way.",
    ))
}

#[derive(Deserialize, ToSchema)]
pub struct ChangeEmailRequest {
    #[schema(value_type = String, required, format = Email, max_length = 254, example = "susan@example.org")]
    email: Option<Sent<String>>,
}

/// Ask for another address.
///
/// A mail goes there, with a link that works for an hour. Until somebody confirms it, the old address stays in use.
/// Needs a recent login. The answer is the same for a taken address, whose owner gets a mail instead.
#[utoipa::path(tag = "e-mail", security(("session" = [])), request_body = ChangeEmailRequest, responses(
    (status = 202, description = "A mail is on its way to the new address.", body = Accepted),
    LoginRequired, FreshLoginRequired, Invalid, Limited, NoDatabase,
))]
#[post("/email/change")]
pub async fn change_email(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    Json(form): Json<ChangeEmailRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let email = form.email.required().and_then(|text| Email::parse(&text));
    let email = email.map_err(|error| FieldErrors::from(("email", error)))?;
    email::ask_for(&services, &visit, &email, &client).await?;
    Ok(Accepted::answer(
        "A mail with a link is on its way to the new address. Until you confirm it, the old address stays in use.",
    ))
}

/// Confirm another address.
///
/// Takes the token that was mailed there. The old address gets a notice, with a link that takes the change back.
#[utoipa::path(tag = "e-mail", request_body = TokenRequest, responses(
    (status = 204, description = "The account has the new address, which is verified."),
    VoidToken, Invalid, Limited, NoDatabase,
))]
#[post("/email/change/confirm")]
pub async fn confirm_email(
    services: Data<Services>,
    Json(form): Json<TokenRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    email::confirm(&services, form.token()?, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}
