//! Logging in with a passkey, and what to ask the browser for that.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use serde_json::Value;
use strum::EnumString;
use utoipa::ToSchema;

use super::views::OptionsView;
use crate::auth::admission::Wish;
use crate::auth::error::AuthError;
use crate::auth::passkeys::ceremony::Ceremony;
use crate::auth::passkeys::{authentication, login};
use crate::auth::second_factor::by_passkey;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::next::safe_next;
use crate::http::api::logged_in::{LoggedIn, answer_login};
use crate::http::session::browser::Browser;
use crate::http::session::guards::{Anonymous, Visitor};
use crate::http::session::step::AnyStep;
use crate::http::site::Site;
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    Invalid, Limited, LoggedOutRequired, LoginOver, LoginRequired, NoDatabase, NoPasskeys,
    NotLetIn, VoidChallenge, WrongPasskey,
};

/// What the browser is going to sign for.
#[derive(Clone, Copy, Default, Deserialize, EnumString, ToSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = PasskeyPurpose)]
enum Purpose {
    /// A login without a name.
    #[default]
    Login,
    /// A login that waits for the second factor.
    SecondFactor,
    /// Your own session, before something sensitive.
    Reauthenticate,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct PasskeyOptionsRequest {
    /// By default a login.
    #[schema(value_type = Option<Purpose>)]
    r#for: Option<Sent<String>>,
}

impl PasskeyOptionsRequest {
    fn purpose(self) -> Result<Purpose, FieldErrors> {
        let purpose = self.r#for.optional();
        let purpose = purpose.and_then(|text| match text {
            Some(text) => text.parse().map_err(|_| {
                let wanted = "Use login, second_factor or reauthenticate.";
                FieldError::new(FieldCode::Invalid, wanted)
            }),
            None => Ok(Purpose::default()),
        });
        purpose.map_err(|error| FieldErrors::from(("for", error)))
    }
}

/// Begin to log in with a passkey.
///
/// Pass options to `PublicKeyCredential.parseRequestOptionsFromJSON` and the result to `navigator.credentials.get`. For a
/// login they name no passkey, and are the same for everybody. Otherwise they name your own.
#[utoipa::path(tag = "passkeys", request_body = inline(Option<PasskeyOptionsRequest>), responses(
    (status = 200, description = "What to ask the browser.", body = OptionsView),
    LoginRequired, NoPasskeys, LoginOver, Invalid, Limited, NoDatabase,
))]
#[post("/passkeys/authentication/options")]
pub async fn passkey_options(
    services: Data<Services>,
    Visitor(visit): Visitor,
    AnyStep(step): AnyStep,
    Json(form): Json<Option<PasskeyOptionsRequest>>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let ceremony = match form.unwrap_or_default().purpose()? {
        Purpose::Login => Ceremony::Login,
        Purpose::SecondFactor => {
            let step = step.as_ref().ok_or(AuthError::StepExpired)?;
            Ceremony::SecondFactor(step, by_passkey::user_id(&services, step).await?)
        }
        Purpose::Reauthenticate => {
            Ceremony::Reauthentication(visit.as_ref().ok_or(AuthError::NotAuthenticated)?)
        }
    };
    let options = authentication::begin(&services, ceremony, &client).await?;
    answer::ok(&OptionsView::from(options))
}

#[derive(Deserialize, ToSchema)]
pub struct PasskeyLoginRequest {
    /// What `navigator.credentials.get` gave, after `toJSON`.
    #[schema(value_type = Object, required)]
    credential: Option<Sent<Value>>,
    /// Stay logged in after the browser closes.
    #[schema(value_type = Option<bool>, example = false)]
    remember_me: Option<Sent<bool>>,
    /// The page to go to afterwards. A safe path is returned as redirect_to; anything else becomes `/`.
    #[schema(value_type = Option<String>, example = "/profile")]
    next: Option<Sent<String>>,
}

/// Log in with a passkey.
///
/// Needs no name and no password, and counts as two factors. Is as POST /api/login otherwise. After unknown_passkey, tell
/// the browser: `PublicKeyCredential.signalUnknownCredential`.
#[utoipa::path(tag = "passkeys", request_body = PasskeyLoginRequest, responses(
    (status = 200, description = "Logged in.", body = LoggedIn,
        headers(("Set-Cookie" = String, description = "The session; with remember_me also Max-Age."))),
    WrongPasskey, NotLetIn, NoPasskeys, LoggedOutRequired, VoidChallenge, Invalid, Limited, NoDatabase,
))]
#[post("/passkeys/authentication/verify")]
pub async fn log_in_with_passkey(
    services: Data<Services>,
    site: Data<Site>,
    _: Anonymous,
    Json(form): Json<PasskeyLoginRequest>,
    client: Client,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    let mut errors = FieldErrors::default();
    let credential = errors.take("credential", form.credential.required());
    let remember_me = errors.take("remember_me", form.remember_me.optional());
    let (Some(credential), Some(remember_me)) = (credential, remember_me) else {
        return Err(errors.into());
    };
    let next = form.next.lenient();
    let wish = Wish {
        remembered: remember_me.unwrap_or(false),
        redirect_to: next.and_then(|next| safe_next(&site.public_url, &next)),
    };
    let login = login::log_in(&services, credential, &wish, &client).await?;
    answer_login(&services, login, wish.redirect_to.as_deref(), &browser)
}
