//! Moving in: arrivals stream into a temporary table, SQL sorts them, and one transaction writes them. Nothing outlives
//! a connection that dies.

use std::io::Cursor;
use std::pin::Pin;

use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::db::connection::Connector;
use super::db::error::DbError;
pub use arrival::{Arrival, Hash, Name, Refused, When};
pub use findings::{Counts, Found};
pub use transaction::Transaction;
use transaction::failed;

mod arrival;
mod findings;
mod naming;
mod statements;
mod transaction;

/// Rows are sent in pieces of this size.
const PIECE: usize = 64 * 1024;

type Sink = Pin<Box<CopyInSink<Cursor<Vec<u8>>>>>;

/// A transaction into which rows stream.
pub struct Import {
    transaction: Transaction,
    sink: Sink,
    piece: Vec<u8>,
}

impl Import {
    pub async fn begin(connector: &Connector) -> Result<Self, DbError> {
        let transaction = Transaction::begin(connector).await?;
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

    /// Finds out who is here already and who is there twice. Whoever got a made name comes only if `rename` says so. One
    /// that will write waits until another import is done.
    pub async fn sort(mut self, rename: bool, writes: bool) -> Result<Transaction, DbError> {
        self.sink
            .send(Cursor::new(self.piece))
            .await
            .map_err(failed)?;
        self.sink.as_mut().finish().await.map_err(failed)?;
        let transaction = self.transaction;
        if writes {
            transaction.execute(statements::LOCK).await?;
        }
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
