//! What a page needs to know before anybody logs in.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::oidc;
use crate::auth::services::Services;
use crate::domain::password::MAX_LENGTH;
use crate::http::site::Site;
use crate::http::wire::answer;
use crate::http::wire::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct Config<'a> {
    #[schema(example = "app.example")]
    app_name: &'a str,
    registration: RegistrationState,
    /// Whether people must confirm their address before they can log in.
    require_verified_email: bool,
    password: PasswordRules,
    /// Whether people can log in with a code by e-mail.
    email_login: bool,
    /// Whether people can log in with a passkey.
    passkeys: bool,
    /// Whose accounts people can log in with.
    providers: Vec<Provider<'a>>,
    /// How long a session with `remember_me` lasts.
    remember_seconds: u64,
    /// How long a trusted browser is not asked for the second factor. 0: no browser can be trusted.
    trust_device_seconds: u64,
    /// How long a proof of who you are counts as recent.
    reauth_seconds: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RegistrationState {
    Open,
    Closed,
}

#[derive(Serialize, ToSchema)]
struct PasswordRules {
    /// In code points.
    min_length: usize,
    max_length: usize,
    /// zxcvbn's estimate, 0 to 4.
    min_score: u8,
}

/// Somebody who vouches for people.
#[derive(Serialize, ToSchema)]
struct Provider<'a> {
    /// For POST /api/oidc/{provider}/start.
    #[schema(example = "google")]
    name: &'a str,
    /// For people.
    #[schema(example = "Google")]
    label: &'a str,
}

fn provider(provider: &Arc<oidc::provider::Provider>) -> Provider<'_> {
    Provider {
        name: &provider.entry.name,
        label: &provider.entry.label,
    }
}

/// What this server offers.
///
/// For forms that say the rules before they are broken, and show only what works.
#[utoipa::path(tag = "account", responses((status = 200, description = "The same for everybody.", body = Config)))]
#[get("/config")]
pub async fn get_config(
    services: Data<Services>,
    site: Data<Site>,
) -> Result<HttpResponse, Problem> {
    let policy = &services.policy;
    answer::ok(&Config {
        app_name: &site.app_name,
        registration: if policy.registration_open {
            RegistrationState::Open
        } else {
            RegistrationState::Closed
        },
        require_verified_email: policy.require_verified_email,
        password: PasswordRules {
            min_length: policy.password.min_length,
            max_length: MAX_LENGTH,
            min_score: policy.password.min_score,
        },
        email_login: false,
        passkeys: services.passkeys.is_some(),
        providers: services.providers.iter().map(provider).collect(),
        remember_seconds: policy.lifetimes.remember.as_secs(),
        trust_device_seconds: policy.trust_device_for.as_secs(),
        reauth_seconds: policy.lifetimes.reauth.as_secs(),
    })
}
