//! Why somebody comes back from a provider in vain.

use strum::{IntoStaticStr, VariantNames};

use crate::auth::error::AuthError;
use crate::auth::metrics::LoginResult;

/// A failure, with words for the log where the kind does not say everything.
#[derive(Debug, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Failure {
    /// The person, or the provider, said no.
    Denied(String),
    /// Something is not as it should be.
    Failed(String),
    /// A bug of ours.
    Broken(String),
    /// Too late, used before, or begun in another browser or session.
    Expired,
    /// The provider, or we, cannot do it now.
    Unavailable(String),
    /// The address belongs to an account here, which only its owner may connect.
    EmailInUse,
    /// Somebody else's account has this identity.
    IdentityInUse,
    /// The provider does not say that the person has just shown who they are.
    NotRecent,
    RegistrationClosed,
    AccountDisabled,
    EmailNotVerified,
}

impl Failure {
    pub fn failed(why: impl std::fmt::Display) -> Self {
        Self::Failed(why.to_string())
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::AccountDisabled => Self::AccountDisabled,
            AuthError::EmailNotVerified => Self::EmailNotVerified,
            AuthError::RegistrationClosed => Self::RegistrationClosed,
            // The session has ended, or the password has changed, meanwhile.
            AuthError::NotAuthenticated => Self::Expired,
            AuthError::ProviderUnavailable(_)
            | AuthError::RateLimited(_)
            | AuthError::Overloaded
            | AuthError::DatabaseUnavailable(_) => Self::Unavailable(error.to_string()),
            other => Self::Broken(other.to_string()),
        }
    }
}

/// What it is of a login.
impl From<&Failure> for LoginResult {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Failed(_) | Failure::Denied(_) | Failure::Expired => Self::Bad,
            Failure::Unavailable(_) | Failure::Broken(_) => Self::Failed,
            Failure::EmailInUse
            | Failure::IdentityInUse
            | Failure::NotRecent
            | Failure::RegistrationClosed
            | Failure::AccountDisabled
            | Failure::EmailNotVerified => Self::Refused,
        }
    }
}
