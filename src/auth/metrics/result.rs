//! What became of a login.

use strum::{IntoStaticStr, VariantArray};

use crate::auth::error::AuthError;

#[derive(Clone, Copy, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum LoginResult {
    Good,
    /// Right, but the second factor is still to come.
    SecondFactor,
    /// A wrong name or a wrong password.
    Bad,
    /// A limit was hit.
    Limited,
    /// Right, but the account may not log in.
    Refused,
    /// Our own failure.
    Failed,
}

impl From<&AuthError> for LoginResult {
    fn from(error: &AuthError) -> Self {
        match error {
            AuthError::InvalidCredentials
            | AuthError::InvalidPasskey(_)
            | AuthError::UnknownPasskey
            | AuthError::ChallengeExpired
            | AuthError::InvalidCode { .. }
            | AuthError::TokenInvalid
            | AuthError::Invalid(_) => Self::Bad,
            AuthError::RateLimited(_) => Self::Limited,
            AuthError::AccountDisabled
            | AuthError::EmailNotVerified
            | AuthError::NotAuthenticated
            | AuthError::AlreadyAuthenticated
            | AuthError::Forbidden { .. }
            | AuthError::SecondFactorMissing
            | AuthError::PasskeyExists
            | AuthError::LimitReached
            | AuthError::LastLoginMethod
            | AuthError::LastSecondFactor
            | AuthError::NotOffered
            | AuthError::RegistrationClosed
            | AuthError::ReauthenticationRequired { .. }
            | AuthError::SecondFactorRequired { .. }
            | AuthError::StepExpired
            | AuthError::AlreadyEnabled
            | AuthError::NoSecondFactor
            | AuthError::SessionNotFound
            | AuthError::ItemNotFound
            | AuthError::OwnAccount
            | AuthError::LastAdmin => Self::Refused,
            AuthError::Overloaded
            | AuthError::ProviderUnavailable(_)
            | AuthError::DatabaseUnavailable(_)
            | AuthError::Internal(_) => Self::Failed,
        }
    }
}
