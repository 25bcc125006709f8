//! The second step of a login.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::oidc::stranger;
use crate::auth::second_factor::by_passkey;
use crate::auth::second_factor::step::{self, Answer};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::field::{FieldError, FieldErrors};
use crate::http::api::logged_in::{LoggedIn, answer_started};
use crate::http::session::browser::Browser;
use crate::http::session::step::{AnyStep, PendingStep};
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::codes;
use crate::http::wire::problem::{Problem, names};
use crate::http::wire::problem_body::MethodName;
use crate::http::wire::refusals::{
    Busy, Invalid, Limited, LoginOrChallengeOver, LoginOver, NoDatabase, NoPasskeys, NotLetIn,
    WrongSecondFactor,
};
use crate::http::wire::timestamp::Timestamp;

/// An unfinished login.
#[derive(Serialize, ToSchema)]
pub struct LoginStep {
    /// What it waits for.
    #[schema(example = "second_factor")]
    kind: String,
    /// What would do.
    #[schema(value_type = Vec<MethodName>, example = json!(["totp", "recovery_code"]))]
    methods: Vec<&'static str>,
    tries_left: i16,
    expires_at: Timestamp,
    /// With choose_username: who vouches for you.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "google")]
    provider: Option<String>,
    /// With choose_username: what you are called there, if that can be a name here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "susan")]
    suggested_username: Option<String>,
    /// With choose_username: the address that the provider has confirmed. If it is missing, give one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "susan@example.com")]
    email: Option<String>,
}

/// What does my login wait for?
///
/// For a page that was loaded again in the middle of a login.
#[utoipa::path(tag = "second factor", security(("step" = [])), responses(
    (status = 200, description = "It waits for this.", body = LoginStep),
    LoginOver, NoDatabase,
))]
#[get("/login/step")]
pub async fn login_step(
    services: Data<Services>,
    PendingStep(key): PendingStep,
) -> Result<HttpResponse, Problem> {
    let (step, methods) = step::look(&services, &key).await?;
    let stranger = stranger::of(&step);
    answer::ok(&LoginStep {
        kind: step.kind,
        methods: names(&methods),
        tries_left: step.tries_left,
        expires_at: step.expires_at.into(),
        provider: stranger.as_ref().map(|stranger| stranger.provider.clone()),
        suggested_username: stranger.and_then(|stranger| stranger.suggested_username),
        email: step.email,
    })
}

/// Give up this login.
///
/// Succeeds without one, too.
#[utoipa::path(tag = "second factor", responses(
    (status = 204, description = "It is over.", headers(("Set-Cookie" = String, description = "Clears the step."))),
    NoDatabase,
))]
#[delete("/login/step")]
pub async fn cancel_login(
    services: Data<Services>,
    AnyStep(key): AnyStep,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    if let Some(key) = key {
        step::cancel(&services, &key).await?;
    }
    browser.end_step();
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"code": "492039", "trust_device": false}))]
pub struct SecondFactorRequest {
    /// What your authenticator app shows.
    #[schema(value_type = Option<String>, example = "492039")]
    code: Option<Sent<String>>,
    /// In place of code. Each works once.
    #[schema(value_type = Option<String>, example = "7kq2-m0ra-x5vd-93fe")]
    recovery_code: Option<Sent<String>>,
    /// In place of code: what `navigator.credentials.get` gave, after `toJSON`.
    #[schema(value_type = Option<Object>)]
    credential: Option<Sent<Value>>,
    /// Ask for no second factor in this browser for as long as the operator allows.
    #[schema(value_type = Option<bool>, example = false)]
    trust_device: Option<Sent<bool>>,
}

/// Complete a login with the second factor.
///
/// Needs the cookie latchkey_step of a login that was answered with second_factor_required, and is as POST /api/login
/// otherwise. Five codes may be tried.
#[utoipa::path(tag = "second factor", security(("step" = [])), request_body = SecondFactorRequest, responses(
    (status = 200, description = "Logged in.", body = LoggedIn,
        headers(("Set-Cookie" = String, description = "The session; clears the step."))),
    WrongSecondFactor, NotLetIn, LoginOrChallengeOver, NoPasskeys, Invalid, Limited, Busy,
))]
#[post("/login/second-factor")]
pub async fn second_factor(
    services: Data<Services>,
    PendingStep(key): PendingStep,
    Json(form): Json<SecondFactorRequest>,
    client: Client,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    let mut errors = FieldErrors::default();
    let code = codes::optional(form.code, form.recovery_code, &mut errors);
    let passkey = codes::credential(form.credential, code.is_some(), &mut errors);
    let trust_device = errors.take("trust_device", form.trust_device.optional());
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let trust_device = trust_device.flatten().unwrap_or(false);
    let done = match (passkey, code) {
        (Some(passkey), _) => {
            by_passkey::finish(&services, &key, passkey, trust_device, &client).await?
        }
        (None, Some(code)) => {
            let answer = Answer { code, trust_device };
            step::finish(&services, &key, answer, &client).await?
        }
        (None, None) => return Err(FieldErrors::from(("code", FieldError::required())).into()),
    };
    let redirect_to = done.redirect_to.as_deref();
    let left = done.recovery_codes_left;
    answer_started(&services, done.started, redirect_to, left, &browser)
}
