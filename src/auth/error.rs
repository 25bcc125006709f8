//! All the ways a rule can say no. HTTP gives each its status in `http/wire/problem.rs`.

use std::time::Duration;

use super::limits::Hit;
use crate::domain::field::FieldErrors;
use crate::store::db::error::DbError;

/// A refusal or a failure. Texts inside are for the log, never for the client.
#[derive(Debug)]
pub enum AuthError {
    NotAuthenticated,
    AlreadyAuthenticated,
    InvalidCredentials,
    AccountDisabled,
    ReauthenticationRequired { max_age: Duration },
    SessionNotFound,
    Invalid(FieldErrors),
    RateLimited(Hit),
    Overloaded,
    DatabaseUnavailable(String),
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
