//! Why the database did not answer.

use diesel::ConnectionError;
use diesel::result::{DatabaseErrorKind, Error as QueryError};

/// A failure of the database or of a statement.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database is down, overloaded or out of resources: worth a retry.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The row violated a named constraint.
    #[error("the constraint {0} refused the row")]
    Constraint(String),
    /// Everything else: a bug of ours.
    #[error("{0}")]
    Query(QueryError),
}

impl From<QueryError> for DbError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::DatabaseError(
                DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::CheckViolation,
                info,
            ) => Self::Constraint(info.constraint_name().unwrap_or_default().to_owned()),
            // diesel does not expose the SQLSTATE: timeouts, a full disk, a shutdown and deadlocks all arrive as
            // `Unknown`, and so does an invalid statement. For an invalid statement the server also reports the
            // position.
            QueryError::DatabaseError(DatabaseErrorKind::Unknown, info)
                if info.statement_position().is_some() =>
            {
                Self::Query(QueryError::DatabaseError(DatabaseErrorKind::Unknown, info))
            }
            QueryError::DatabaseError(
                DatabaseErrorKind::Unknown
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::ReadOnlyTransaction,
                info,
            ) => Self::Unavailable(info.message().to_owned()),
            QueryError::BrokenTransactionManager => {
                Self::Unavailable("the connection broke".to_owned())
            }
            other => Self::Query(other),
        }
    }
}

/// Whether the connection leads to a standby, which may be a former primary.
pub fn is_read_only(error: &QueryError) -> bool {
    matches!(
        error,
        QueryError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _)
    )
}

impl From<ConnectionError> for DbError {
    fn from(error: ConnectionError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
