//! Why the database gave no answer.

use diesel::ConnectionError;
use diesel::result::{DatabaseErrorKind, Error as QueryError};

#[derive(Debug)]
pub enum DbError {
    /// Away, overloaded or out of resources: worth a retry.
    Unavailable(String),
    /// A named constraint refused the row.
    Constraint(String),
    /// Everything else, a mistake of ours.
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
            // diesel has no SQLSTATE: time-outs, disk full, shutting down and deadlocks all arrive as `Unknown`, and so
            // does a statement that is wrong; but of that the server says where.
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

/// The connection leads to a standby, or to a primary that is one no more.
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
