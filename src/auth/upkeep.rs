//! Background work: writes what can wait, deletes what has expired, and seals again what is under an old key.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use strum::VariantArray;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::second_factor::resealing::keep_resealing;
use super::services::Services;
use crate::store::db::error::DbError;
use crate::store::db::notifications::announce;
use crate::store::expiry::{Deleted, Expiring};
use crate::store::sessions;

/// How long the last use of a session may stay unwritten.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Rows per statement, few enough to finish well within the statement timeout.
const BATCH: usize = 1000;
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// Rows that a purge deletes in one statement: a few milliseconds' work, less than a login takes.
pub const PURGED_AT_ONCE: i64 = 250;
/// After a full batch the purge rests this many times as long as the batch took, so that it takes a tenth of one
/// connection's time and gives way when the database is slow. Ten million sessions may expire at once, and logins must
/// not notice (`cargo bench --bench sizing -- purge`); that they are gone within the hour is soon enough.
pub const REST: u32 = 9;
/// A purge that is a day behind takes half of the time instead: rows expire faster than it deletes them, and a disk that
/// fills up disturbs more than it does.
const FAR_BEHIND: Duration = Duration::from_secs(86_400);
const SHORT_REST: u32 = 1;
/// Every how many purges one starts at the very first row again, for rows that were locked when it came by.
const FROM_THE_START_EVERY: u32 = 60;

/// Runs until its task is dropped. Writing goes on during a purge, which may take many minutes.
pub async fn run(services: Services) {
    let (writing, purging) = (keep_writing(&services), keep_purging(&services));
    futures_util::future::join3(writing, purging, keep_resealing(&services)).await;
}

async fn keep_writing(services: &Services) {
    let mut flush = interval(FLUSH_EVERY);
    loop {
        flush.tick().await;
        log_failure(write_down(services).await);
    }
}

async fn keep_purging(services: &Services) {
    let mut purge = interval(PURGE_EVERY);
    purge.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reached: Vec<_> = Expiring::VARIANTS
        .iter()
        .map(|table| (*table, None))
        .collect();
    for round in 0_u32.. {
        purge.tick().await;
        for (table, reached) in &mut reached {
            let from = reached.filter(|_| !round.is_multiple_of(FROM_THE_START_EVERY));
            log_failure(purge_old(services, *table, from, reached).await);
        }
    }
}

fn log_failure(done: Result<(), DbError>) {
    if let Err(error) = done {
        tracing::debug!(%error, "upkeep is waiting for the database");
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

/// Deletes the expired rows of a table, and notes how far it has come.
async fn purge_old(
    services: &Services,
    table: Expiring,
    mut from: Option<DateTime<Utc>>,
    reached: &mut Option<DateTime<Utc>>,
) -> Result<(), DbError> {
    loop {
        let began = Instant::now();
        let deleted = services
            .db
            .run(async |conn| table.delete(conn, from, PURGED_AT_ONCE).await)
            .await?;
        from = deleted.until.or(from);
        *reached = from.max(*reached);
        if deleted.rows < PURGED_AT_ONCE {
            return Ok(());
        }
        sleep(began.elapsed() * rest(&deleted)).await;
    }
}

/// How many times as long as its batch took a purge rests.
fn rest(deleted: &Deleted) -> u32 {
    let far_behind = deleted.behind > Some(FAR_BEHIND.as_secs_f64());
    if far_behind { SHORT_REST } else { REST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_that_is_a_day_behind_rests_less() {
        let after = |behind| {
            rest(&Deleted {
                behind,
                ..Deleted::default()
            })
        };
        assert_eq!([after(None), after(Some(86_000.0))], [REST, REST]);
        assert_eq!(after(Some(87_000.0)), SHORT_REST);
    }
}
