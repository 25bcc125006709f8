//! PostgreSQL's LISTEN and NOTIFY, on the channel that the triggers use.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::connection::{Connector, STATEMENT_TIMEOUT};

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
        listener.execute("listen latchkey").await?;
        Ok(listener)
    }

    /// Waits for the next message.
    pub async fn next(&mut self) -> Result<String, ListenError> {
        self.messages.recv().await.ok_or(ListenError::Closed)
    }

    /// Sends a message to every listener, including this one. The text must not need quoting.
    pub async fn notify(&self, message: &str) -> Result<(), ListenError> {
        self.execute(&format!("notify latchkey, '{message}'")).await
    }

    async fn execute(&self, sql: &str) -> Result<(), ListenError> {
        match tokio::time::timeout(STATEMENT_TIMEOUT, self.client.batch_execute(sql)).await {
            Ok(Ok(())) => Ok(()),
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
