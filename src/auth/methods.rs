//! The ways into an account.

use uuid::Uuid;

use super::error::{AuthError, Result};
use super::services::Services;
use crate::domain::proof::Method;
use crate::store::ways;
pub use crate::store::ways::Ways;

/// What a user can log in with.
pub async fn of(services: &Services, user_id: Uuid) -> Result<Ways> {
    let ways = services
        .db
        .run(async |conn| ways::of_user(conn, user_id, services.offer()).await)
        .await?;
    ways.ok_or(AuthError::NotAuthenticated)
}

/// What does for a second factor.
pub fn second_factors(ways: &Ways) -> Vec<Method> {
    let all = [
        (ways.totp, Method::Totp),
        (ways.passkeys > 0, Method::Passkey),
        (ways.recovery_codes > 0, Method::RecoveryCode),
    ];
    let had = all.into_iter().filter(|(has, _)| *has);
    had.map(|(_, method)| method).collect()
}

/// What does to prove again who one is.
pub fn for_reauthentication(services: &Services, ways: &Ways) -> Vec<Method> {
    let mut methods = Vec::new();
    if ways.password {
        methods.push(Method::Password);
    }
    // A code is good together with a password only.
    if ways.second_factor_required && ways.password {
        methods.extend(second_factors(ways));
    } else if ways.passkeys > 0 {
        methods.push(Method::Passkey);
    }
    let mut identities = ways.identities.iter();
    if identities.any(|issuer| does_to_confirm(services, ways, issuer)) {
        methods.push(Method::Oidc);
    }
    methods
}

/// An account at a provider is one factor, unless the operator says that its login is two.
fn does_to_confirm(services: &Services, ways: &Ways, issuer: &str) -> bool {
    let provider = services.providers.of_issuer(issuer);
    let counts_as_two = provider.is_some_and(|provider| provider.entry.counts_as_two);
    !ways.second_factor_required || counts_as_two
}
