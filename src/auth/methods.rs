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
        .run(async |conn| ways::of_user(conn, user_id, services.rp_id()).await)
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
pub fn for_reauthentication(ways: &Ways) -> Vec<Method> {
    let mut methods = Vec::new();
    if ways.password {
        methods.push(Method::Password);
    }
    if ways.second_factor_required {
        methods.extend(second_factors(ways));
    } else if ways.passkeys > 0 {
        methods.push(Method::Passkey);
    }
    methods
}
