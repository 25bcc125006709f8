//! Every way a rule can refuse. `http/wire/problem.rs` maps each to a status.

use std::time::Duration;

use super::limits::table::Exceeded;
use crate::domain::field::FieldErrors;
use crate::domain::proof::Method;
use crate::domain::secret::NoRandom;
use crate::store::db::error::DbError;

/// A refusal or a failure. The texts are for the log, never for the client.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    #[error("not logged in")]
    NotAuthenticated,
    #[error("already logged in")]
    AlreadyAuthenticated,
    #[error("wrong name or password")]
    InvalidCredentials,
    #[error("the account is disabled")]
    AccountDisabled,
    #[error("the address is not verified")]
    EmailNotVerified,
    #[error("the token is unknown, used or expired")]
    TokenInvalid,
    #[error("none of these roles: {}", needs.join(", "))]
    Forbidden { needs: Vec<String> },
    #[error("the login had one factor")]
    SecondFactorMissing,
    #[error("nothing has this id")]
    ItemNotFound,
    #[error("an administrator's own account")]
    OwnAccount,
    #[error("the last administrator")]
    LastAdmin,
    #[error("the passkey did not prove anything: {0}")]
    InvalidPasskey(&'static str),
    #[error("nobody has this passkey")]
    UnknownPasskey,
    #[error("the challenge is unknown, used or expired")]
    ChallengeExpired,
    #[error("somebody has this passkey already")]
    PasskeyExists,
    #[error("there are as many as there may be")]
    LimitReached,
    #[error("the last way into the account")]
    LastLoginMethod,
    #[error("the last second factor")]
    LastSecondFactor,
    #[error("this server does not offer it")]
    NotOffered,
    #[error("registration is closed")]
    RegistrationClosed,
    /// With these methods, of which some or all do.
    #[error("nobody proved who they are in the last {} seconds", max_age.as_secs())]
    ReauthenticationRequired {
        max_age: Duration,
        methods: Vec<Method>,
    },
    /// Inside a session: the password was right, and one of these is missing.
    #[error("the second factor is missing")]
    SecondFactorRequired { methods: Vec<Method> },
    #[error("a wrong code, and {tries_left} tries left")]
    InvalidCode { tries_left: i16 },
    #[error("the login has expired, is over, or has no tries left")]
    StepExpired,
    #[error("an authenticator app is set up already")]
    AlreadyEnabled,
    #[error("the second factor is off")]
    NoSecondFactor,
    #[error("no such session")]
    SessionNotFound,
    #[error("{0}")]
    Invalid(FieldErrors),
    #[error("limit {} was hit", .0.limit.name)]
    RateLimited(Exceeded),
    #[error("too many passwords are being checked")]
    Overloaded,
    #[error("the provider does not answer as it should: {0}")]
    ProviderUnavailable(String),
    #[error("the database is not available: {0}")]
    DatabaseUnavailable(String),
    #[error("{0}")]
    Internal(String),
}

pub type Result<T> = std::result::Result<T, AuthError>;

impl From<DbError> for AuthError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(why) => Self::DatabaseUnavailable(why),
            DbError::Constraint(name) => Self::Internal(format!("constraint {name}")),
            DbError::Query(error) => Self::Internal(error.to_string()),
        }
    }
}

impl From<FieldErrors> for AuthError {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl From<NoRandom> for AuthError {
    fn from(error: NoRandom) -> Self {
        Self::Internal(error.to_string())
    }
}
