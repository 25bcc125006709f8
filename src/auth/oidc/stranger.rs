//! The step of somebody new, between the provider and their account.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::failure::Failure;
use super::provider::Provider;
use super::tokens::Claims;
use crate::auth::admission::Wish;
use crate::auth::error::AuthError;
use crate::auth::second_factor::step::Step;
use crate::auth::services::Services;
use crate::domain::email::Email;
use crate::domain::proof::Method;
use crate::domain::secret::SessionKey;
use crate::domain::username::Username;
use crate::store::addresses;
use crate::store::newcomers::{self, CHOOSE_USERNAME, NewStep};

/// Who they are at the provider, as their step keeps it.
#[derive(Serialize, Deserialize)]
pub struct Stranger {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub provider: String,
    /// What the provider says of it, proven or not.
    pub(super) email: Option<String>,
    /// What they are called there, if they can be called so here.
    pub suggested_username: Option<String>,
}

/// Begins the step in which they choose.
pub(super) async fn begin(
    services: &Services,
    provider: &Provider,
    claims: Claims,
    wish: &Wish,
) -> std::result::Result<SessionKey, Failure> {
    if !services.policy.registration_open || !provider.entry.registers {
        return Err(Failure::RegistrationClosed);
    }
    let proven = claims.email.as_ref().filter(|_| claims.email_verified);
    if let Some(email) = proven {
        let holder = services
            .db
            .run(async |conn| addresses::holder(conn, email.as_str()).await);
        if holder.await.map_err(AuthError::from)?.is_some() {
            return Err(Failure::EmailInUse);
        }
    }
    let suggested = claims.preferred_username;
    let stranger = Stranger {
        issuer: provider.entry.issuer.clone(),
        subject: claims.subject,
        provider: provider.entry.name.clone(),
        email: claims.email.as_ref().map(|email| email.as_str().to_owned()),
        suggested_username: suggested.filter(|name| Username::parse(name).is_ok()),
    };
    let key = SessionKey::generate().map_err(AuthError::from)?;
    let step = NewStep {
        key_hash: &key.hash(),
        methods: &[Method::Oidc.name()],
        remembered: wish.remembered,
        redirect_to: wish.redirect_to.as_deref(),
        email: proven.map(Email::as_str),
        identity: &json!(stranger),
    };
    let begun = services
        .db
        .run(async |conn| newcomers::insert(conn, &step).await);
    begun.await.map_err(AuthError::from)?;
    Ok(key)
}

/// Whose step it is. `None`: no newcomer's.
pub fn of(step: &Step) -> Option<Stranger> {
    let is_newcomer = step.kind == CHOOSE_USERNAME;
    let identity = step.identity.clone().filter(|_| is_newcomer)?;
    serde_json::from_value(identity).ok()
}
