//! Your authenticator app.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::views::{RecoveryCodes, Removed};
use crate::auth::second_factor::{enrolment, switch};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::field::FieldErrors;
use crate::http::session::guards::FreshUser;
use crate::http::site::Site;
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::codes;
use crate::http::wire::end_others::{self, EndOthers};
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    AlreadyOn, Busy, FreshLoginRequired, Invalid, Limited, LoginOver, LoginRequired, NoDatabase,
    NotOn,
};
use crate::http::wire::timestamp::Timestamp;

/// What your app needs, to be shown once.
#[derive(Serialize, ToSchema)]
pub struct TotpOffer {
    /// 160 bits in base32, for people who type it.
    #[schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")]
    secret: String,
    #[schema(
        example = "otpauth://totp/app.example:susan?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=app.example"
    )]
    otpauth_uri: String,
    /// The URI as a QR code, an SVG document.
    qr_svg: String,
    /// Until then POST /api/totp/confirm has to follow.
    expires_at: Timestamp,
}

/// Set up an authenticator app.
///
/// Nothing changes before POST /api/totp/confirm. A later request makes this one void.
#[utoipa::path(tag = "second factor", security(("session" = [])), responses(
    (status = 201, description = "Show this to your app.", body = TotpOffer),
    LoginRequired, FreshLoginRequired, AlreadyOn, NoDatabase,
))]
#[post("/totp")]
pub async fn offer_totp(
    services: Data<Services>,
    site: Data<Site>,
    FreshUser(visit): FreshUser,
) -> Result<HttpResponse, Problem> {
    let offer = enrolment::offer(&services, &visit).await?;
    let uri = offer.secret.uri(&site.app_name, &visit.user.username);
    answer::created(&TotpOffer {
        secret: offer.secret.base32(),
        qr_svg: uri.qr_svg(),
        otpauth_uri: uri.as_str().to_owned(),
        expires_at: offer.expires_at.into(),
    })
}

#[derive(Deserialize, ToSchema)]
pub struct ConfirmTotpRequest {
    /// What your app shows.
    #[schema(value_type = String, required, example = "492039")]
    code: Option<Sent<String>>,
    /// Whether your other sessions end.
    #[schema(value_type = Option<bool>, default = true)]
    end_other_sessions: Option<Sent<bool>>,
}

/// Turn the second factor on.
///
/// From now on your logins ask for a code. The recovery codes are for when the app is lost; they are shown once.
#[utoipa::path(tag = "second factor", security(("session" = [])), request_body = ConfirmTotpRequest, responses(
    (status = 200, description = "It is on.", body = RecoveryCodes),
    LoginRequired, FreshLoginRequired, LoginOver, Invalid, Limited, Busy,
))]
#[post("/totp/confirm")]
pub async fn confirm_totp(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    Json(form): Json<ConfirmTotpRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let mut errors = FieldErrors::default();
    let code = form.code.required().and_then(|text| codes::totp(&text));
    let code = errors.take("code", code);
    let scope = end_others::scope(form.end_other_sessions, true, &mut errors);
    let Some(code) = code.filter(|_| errors.is_empty()) else {
        return Err(errors.into());
    };
    let enabled = enrolment::confirm(&services, &visit, code, scope, &client).await?;
    answer::ok(&RecoveryCodes::of(enabled.recovery_codes, enabled.revoked))
}

/// Remove the authenticator app.
///
/// If you have no passkey that could take its place, the second factor is off, and your recovery codes are gone.
#[utoipa::path(tag = "second factor", security(("session" = [])), request_body = inline(Option<EndOthers>), responses(
    (status = 200, description = "Removed.", body = Removed),
    LoginRequired, FreshLoginRequired, NotOn, Invalid, NoDatabase,
))]
#[delete("/totp")]
pub async fn remove_totp(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    Json(form): Json<Option<EndOthers>>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let scope = form.unwrap_or_default().scope()?;
    let removed = switch::remove_totp(&services, &visit, scope, &client).await?;
    answer::ok(&Removed::from(removed))
}
