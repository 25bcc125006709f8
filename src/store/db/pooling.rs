//! Refuses a connection pooler that takes a server connection away between two transactions.
//!
//! Behind one, an instance would not hear of ended sessions, and its prepared statements and settings would reach other
//! clients.

use anyhow::{Context, ensure};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::connection::Connector;

/// With other clients about, a pooler may give the same connections back by chance, but hardly three times.
const ROUNDS: usize = 3;

const REFUSAL: &str = "DATABASE_URL leads to a connection pooler in transaction mode, which Latchkey cannot use: it \
    listens for ended sessions on a connection that it must keep. Use session mode (pgbouncer: pool_mode = session), or \
    let DATABASE_URL point to PostgreSQL itself";

/// Fails if two clients do not keep the server connections that they have. Leaves nothing behind on them.
pub async fn refuse_transaction_mode(connector: &Connector) -> anyhow::Result<()> {
    let (one, _one) = connector.connect_plainly().await?;
    let (two, _two) = connector.connect_plainly().await?;
    let (first, second) = (server_process(&one).await?, server_process(&two).await?);
    let mut kept = first != second;
    for _ in 0..ROUNDS {
        // Within a transaction, even a pooler leaves a client its connection, so the other one gets another.
        two.simple_query("begin").await.context(REFUSAL)?;
        kept &= server_process(&two).await? == second && server_process(&one).await? == first;
        two.simple_query("rollback").await?;
    }
    ensure!(kept, REFUSAL);
    Ok(())
}

/// The id of the process that serves this connection.
async fn server_process(client: &Client) -> anyhow::Result<String> {
    let messages = client.simple_query("select pg_backend_pid()").await?;
    let id = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(id.context("the database said nothing")?.to_owned())
}
