//! The one transaction of an import, on a connection of its own.

use diesel::result::{DatabaseErrorKind, Error as QueryError};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::statements;
use crate::store::db::connection::Connector;
use crate::store::db::error::DbError;

/// The transaction of an import.
pub struct Transaction {
    pub(super) client: Client,
    _driver: JoinHandle<()>,
}

impl Transaction {
    /// Its connection has no statement timeout: a source may be slow.
    pub async fn begin(connector: &Connector) -> Result<Self, DbError> {
        let (client, driver) = connector.connect_plainly().await?;
        let transaction = Self {
            client,
            _driver: driver,
        };
        transaction.execute(statements::BEGIN).await?;
        Ok(transaction)
    }

    /// Creates the users. Somebody may have registered with one of their names meanwhile.
    pub async fn write(&self) -> Result<(), DbError> {
        self.execute(statements::WRITE).await
    }

    pub async fn commit(self) -> Result<(), DbError> {
        self.execute("commit").await
    }

    pub async fn execute(&self, statements: &str) -> Result<(), DbError> {
        self.client.batch_execute(statements).await.map_err(failed)
    }
}

/// Without the detail that the server gives: it may be a whole row, with the hash.
pub fn failed(error: tokio_postgres::Error) -> DbError {
    let Some(told) = error.as_db_error() else {
        return DbError::Unavailable(error.to_string());
    };
    DbError::Query(QueryError::DatabaseError(
        DatabaseErrorKind::Unknown,
        Box::new(told.message().to_owned()),
    ))
}
