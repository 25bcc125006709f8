//! Events on their way into the table. Whoever comes first writes for all who wait (group commit), so that a flood of
//! events costs few statements and a single one no delay.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::auth::Services;
use crate::store::db::error::DbError;
use crate::store::events::{self, NewEvent};

/// What may wait while the database is away; the log has every event all the same.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Rows per statement: short enough to finish far within the statement time-out.
const BATCH: usize = 1000;

#[derive(Default)]
pub struct EventQueue {
    waiting: Mutex<Waiting>,
    /// Held while writing.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<NewEvent>,
    bytes: usize,
    /// How many have left; the number of the first that waits.
    left: u64,
    dropped: u64,
}

impl EventQueue {
    /// Has an event wait; returns how many must have left for it to be written.
    pub fn push(&self, event: NewEvent) -> u64 {
        let mut waiting = self.waiting();
        if waiting.bytes + size(&event) > BYTES_MAX {
            waiting.dropped += 1;
        } else {
            waiting.bytes += size(&event);
            waiting.events.push_back(event);
        }
        waiting.left + waiting.events.len() as u64
    }

    /// What waits, in memory.
    pub fn bytes(&self) -> usize {
        self.waiting().bytes
    }

    /// The next to be written. They wait on until they are: a writer may be interrupted.
    fn batch(&self, number: u64) -> Vec<NewEvent> {
        let waiting = self.waiting();
        if waiting.left >= number {
            return Vec::new();
        }
        waiting.events.iter().take(BATCH).cloned().collect()
    }

    fn leave(&self, count: usize) {
        let mut waiting = self.waiting();
        for event in waiting.events.drain(..count).collect::<Vec<_>>() {
            waiting.bytes -= size(&event);
            waiting.left += 1;
        }
        let dropped = std::mem::take(&mut waiting.dropped);
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "events for which there was no room are only in the log"
            );
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In memory; the words beside the struct itself are the User-Agent, which is bounded where it is read.
fn size(event: &NewEvent) -> usize {
    size_of::<NewEvent>() + event.user_agent.as_ref().map_or(0, String::len)
}

/// Writes everything that waits.
pub async fn write_down(services: &Services) -> Result<(), DbError> {
    write_until(services, u64::MAX).await
}

/// Writes what waits, in its order, until `number` events have left.
pub async fn write_until(services: &Services, number: u64) -> Result<(), DbError> {
    let _turn = services.events.turn.lock().await;
    loop {
        let batch = services.events.batch(number);
        if batch.is_empty() {
            return Ok(());
        }
        match insert(services, &batch).await {
            Ok(()) => services.events.leave(batch.len()),
            Err(error @ DbError::Unavailable(_)) => return Err(error),
            Err(_) => write_apart(services, &batch).await?,
        }
    }
}

/// Somebody in the batch was deleted meanwhile, and their events with them: the others are written one by one.
async fn write_apart(services: &Services, batch: &[NewEvent]) -> Result<(), DbError> {
    for event in batch {
        match insert(services, std::slice::from_ref(event)).await {
            Ok(()) | Err(DbError::Constraint(_)) => {}
            Err(error @ DbError::Unavailable(_)) => return Err(error),
            Err(DbError::Query(error)) => {
                tracing::error!(%error, kind = event.kind, "an event could not be written");
            }
        }
        services.events.leave(1);
    }
    Ok(())
}

async fn insert(services: &Services, batch: &[NewEvent]) -> Result<(), DbError> {
    let written = services
        .db
        .run(async |conn| events::insert(conn, batch).await);
    written.await.map(|_| ())
}
