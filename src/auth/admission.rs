//! What everybody meets who wants to log in, before and after the second factor.

use super::error::{AuthError, Result};
use super::events::Kind;
use super::services::Services;
use crate::domain::client::Client;
use crate::store::users::User;

/// What somebody wants of a login.
pub struct Wish {
    /// To stay logged in after the browser closes.
    pub remembered: bool,
    /// Where to go afterwards: a path of this site.
    pub redirect_to: Option<String>,
}

/// Passes if the user may log in at all.
pub async fn require_admissible(services: &Services, user: &User, client: &Client) -> Result<()> {
    let refusal = if user.disabled_at.is_some() {
        AuthError::AccountDisabled
    } else if services.policy.require_verified_email && user.email_verified_at.is_none() {
        AuthError::EmailNotVerified
    } else {
        return Ok(());
    };
    services
        .events
        .record(Kind::LoginRefused, Some(user.id), client)
        .await;
    Err(refusal)
}
