//! PostgreSQL's LISTEN and NOTIFY, and the table of changes that are not announced yet.

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::SimpleQueryMessage;

use super::connection::{Connector, STATEMENT_TIMEOUT};

diesel::define_sql_function! {
    #[sql_name = "announce"]
    fn announce_some() -> diesel::sql_types::BigInt;
}

/// Like [`Listener::announce`], on any connection; returns how many changes it announced.
pub async fn announce(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    diesel::select(announce_some()).get_result(conn).await
}

/// Why no notifications arrive.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("the connection was closed")]
    Closed,
    #[error("{0}")]
    Database(String),
    /// The connection works, but notifications do not arrive.
    #[error(
        "a notification that this instance sent to itself did not arrive. A connection pooler in transaction mode drops \
         notifications: let DATABASE_URL point to PostgreSQL itself, or use session mode"
    )]
    NoEcho,
}

/// A connection that only listens.
pub struct Listener {
    client: tokio_postgres::Client,
    messages: mpsc::UnboundedReceiver<String>,
    driver: JoinHandle<()>,
}

impl Listener {
    pub async fn connect(connector: &Connector) -> Result<Self, ListenError> {
        let (sender, messages) = mpsc::unbounded_channel();
        let (client, driver) = connector
            .connect_listening(sender)
            .await
            .map_err(ListenError::Database)?;
        let listener = Self {
            client,
            messages,
            driver,
        };
        listener.ask("listen latchkey").await?;
        Ok(listener)
    }

    /// Waits for the next message.
    pub async fn next(&mut self) -> Result<String, ListenError> {
        self.messages.recv().await.ok_or(ListenError::Closed)
    }

    /// Sends a message to every listener, including this one. The text must not need quoting.
    pub async fn notify(&self, message: &str) -> Result<(), ListenError> {
        let notify = format!("notify latchkey, '{message}'");
        self.ask(&notify).await.map(drop)
    }

    /// Notifies all listeners of the changes that the triggers wrote into the table. Takes a thousand at a time; returns
    /// whether it found any.
    pub async fn announce(&self) -> Result<bool, ListenError> {
        let messages = self.ask("select announce()").await?;
        Ok(messages.iter().any(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0) != Some("0"),
            _ => false,
        }))
    }

    async fn ask(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, ListenError> {
        match tokio::time::timeout(STATEMENT_TIMEOUT, self.client.simple_query(sql)).await {
            Ok(Ok(messages)) => Ok(messages),
            Ok(Err(error)) => Err(ListenError::Database(error.to_string())),
            Err(_) => Err(ListenError::Closed),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
