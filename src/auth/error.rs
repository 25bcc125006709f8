//! All the ways a rule can say no. HTTP gives each its status in `http/wire/problem.rs`.

use std::time::Duration;

use super::limits::table::Exceeded;
use crate::domain::field::FieldErrors;
use crate::domain::secret::NoRandom;
use crate::store::db::error::DbError;

/// A refusal or a failure. Texts inside are for the log, never for the client.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    #[error("nobody is logged in")]
    NotAuthenticated,
    #[error("somebody is logged in already")]
    AlreadyAuthenticated,
    #[error("wrong name or password")]
    InvalidCredentials,
    #[error("the account is disabled")]
    AccountDisabled,
    #[error("the password was not given in the last {} seconds", max_age.as_secs())]
    ReauthenticationRequired { max_age: Duration },
    #[error("no such session")]
    SessionNotFound,
    #[error("{0}")]
    Invalid(FieldErrors),
    #[error("limit {} was hit", .0.limit.name)]
    RateLimited(Exceeded),
    #[error("too many passwords are being checked")]
    Overloaded,
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
