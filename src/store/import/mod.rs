//! Moving in: arrivals stream into a temporary table, SQL sorts them, and one transaction writes them. Nothing outlives
//! a connection that dies.

use std::io::Cursor;
use std::pin::Pin;

use diesel::result::{DatabaseErrorKind, Error as QueryError};
use futures_util::SinkExt;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, CopyInSink};

use super::db::connection::Connector;
use super::db::error::DbError;
pub use arrival::{Arrival, Hash, Name, Refused, When};
pub use findings::{Counts, Found};

mod arrival;
mod findings;
mod naming;
mod statements;

/// Rows are sent in pieces of this size.
const PIECE: usize = 64 * 1024;

type Sink = Pin<Box<CopyInSink<Cursor<Vec<u8>>>>>;

/// A transaction into which rows stream.
pub struct Import {
    transaction: Transaction,
    sink: Sink,
    piece: Vec<u8>,
}

/// The same after the last row.
pub struct Transaction {
    client: Client,
    _driver: JoinHandle<()>,
}

impl Import {
    /// Its connection has no statement timeout: a source may be slow.
    pub async fn begin(connector: &Connector) -> Result<Self, DbError> {
        let (client, driver) = connector.connect_plainly().await?;
        let transaction = Transaction {
            client,
            _driver: driver,
        };
        transaction.execute(statements::BEGIN).await?;
        let sink = transaction.client.copy_in(statements::COPY).await;
        Ok(Self {
            sink: Box::pin(sink.map_err(failed)?),
            transaction,
            piece: Vec::with_capacity(2 * PIECE),
        })
    }

    pub async fn arrive(&mut self, line: u64, arrival: &Arrival) -> Result<(), DbError> {
        arrival.write(line, &mut self.piece);
        self.send_if_full().await
    }

    pub async fn refuse(&mut self, line: u64, refused: &Refused<'_>) -> Result<(), DbError> {
        refused.write(line, &mut self.piece);
        self.send_if_full().await
    }

    async fn send_if_full(&mut self) -> Result<(), DbError> {
        if self.piece.len() < PIECE {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.piece, Vec::with_capacity(2 * PIECE));
        self.sink.send(Cursor::new(full)).await.map_err(failed)
    }

    /// Finds out who is here already and who is there twice. Whoever got a made name comes only if `rename` says so.
    pub async fn sort(mut self, rename: bool) -> Result<Transaction, DbError> {
        self.sink
            .send(Cursor::new(self.piece))
            .await
            .map_err(failed)?;
        self.sink.as_mut().finish().await.map_err(failed)?;
        let transaction = self.transaction;
        transaction.execute(statements::FIND_PRESENT).await?;
        if !rename {
            transaction.execute(statements::REFUSE_MADE_NAMES).await?;
        }
        transaction.execute(statements::ARRIVE).await?;
        transaction.execute(statements::FIND_DUPLICATES).await?;
        naming::make_names(&transaction, rename).await?;
        Ok(transaction)
    }
}

impl Transaction {
    /// Creates the users. Somebody may have registered with one of their names meanwhile.
    pub async fn write(&self) -> Result<(), DbError> {
        let lock = self.client.query_one(statements::LOCK, &[]).await;
        if !lock.map_err(failed)?.get::<_, bool>(0) {
            let why = "another import is writing at this moment: wait until it is done";
            return Err(DbError::Unavailable(why.to_owned()));
        }
        self.execute(statements::WRITE).await
    }

    pub async fn commit(self) -> Result<(), DbError> {
        self.execute("commit").await
    }

    async fn execute(&self, statements: &str) -> Result<(), DbError> {
        self.client.batch_execute(statements).await.map_err(failed)
    }
}

/// Without the detail that the server gives: it may be a whole row, with the hash.
fn failed(error: tokio_postgres::Error) -> DbError {
    let Some(told) = error.as_db_error() else {
        return DbError::Unavailable(error.to_string());
    };
    DbError::Query(QueryError::DatabaseError(
        DatabaseErrorKind::Unknown,
        Box::new(told.message().to_owned()),
    ))
}
