//! PostgreSQL's LISTEN and NOTIFY on the channel that the triggers use.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::connection::{Connector, STATEMENT_TIMEOUT};

/// Why nothing is heard.
#[derive(Debug)]
pub enum ListenError {
    Closed,
    Database(String),
    /// The connection answers, but notifications do not arrive: a pooler in transaction mode is in between.
    NoEcho,
}

impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection was closed"),
            Self::Database(why) => f.write_str(why),
            Self::NoEcho => f.write_str(
                "a notification sent to ourselves did not arrive; a connection pooler in transaction mode swallows \
                 them, so let DATABASE_URL reach PostgreSQL directly or in session mode",
            ),
        }
    }
}

/// A connection of its own that listens.
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

    /// The next message; pending until there is one.
    pub async fn next(&mut self) -> Result<String, ListenError> {
        self.messages.recv().await.ok_or(ListenError::Closed)
    }

    /// Sends a message to every listener, ourselves included. The text must not need quoting.
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
