//! Background work: writes what can wait, and deletes what has expired.

use std::time::Duration;

use super::services::Services;
use crate::store::db::error::DbError;
use crate::store::db::notifications::announce;
use crate::store::{events as security_events, known_networks, rate_limits, sessions};

/// How long the last use of a session may stay unwritten.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Rows per statement, few enough to finish well within the statement timeout.
const BATCH: usize = 1000;
const PURGE_EVERY: Duration = Duration::from_secs(60);

/// Runs until its task is dropped.
pub async fn run(services: Services) {
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    let mut purge = tokio::time::interval(PURGE_EVERY);
    loop {
        let done = tokio::select! {
            _ = flush.tick() => write_down(&services).await,
            _ = purge.tick() => purge_old(&services).await,
        };
        if let Err(error) = done {
            tracing::debug!(%error, "upkeep is waiting for the database");
        }
    }
}

/// Writes pending data. What cannot be written now stays pending.
pub async fn write_down(services: &Services) -> Result<(), DbError> {
    let used = services.used_sessions.take();
    for (done, batch) in used.chunks(BATCH).enumerate() {
        let uses: Vec<_> = batch.iter().map(|(id, at)| (*id, at.elapsed())).collect();
        let written = services
            .db
            .transaction(async |conn| sessions::touch(conn, &uses).await)
            .await;
        if let Err(error) = written {
            for (id, at) in &used[done * BATCH..] {
                services.used_sessions.note(*id, *at);
            }
            return Err(error);
        }
    }
    services.db.close_idle();
    services.repeats.report_due(false);
    services.events.write_down().await
}

/// The last writes before shutdown.
pub async fn finish(services: &Services) -> Result<(), DbError> {
    while services.db.run(async |conn| announce(conn).await).await? > 0 {}
    services.repeats.report_due(true);
    write_down(services).await
}

async fn purge_old(services: &Services) -> Result<(), DbError> {
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    macro_rules! purge {
        ($($table:ident)*) => {$(
            while services.db.run(async |conn| $table::purge(conn, limit).await).await? == BATCH {}
        )*};
    }
    purge!(sessions security_events rate_limits known_networks);
    Ok(())
}
