//! The queue of events to be written. The first writer writes for all who wait (group commit), so that a flood of
//! events costs few statements and a single event is not delayed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use super::{Kind, log, made};
use crate::domain::client::Client;
use crate::store::db::Db;
use crate::store::db::error::DbError;
use crate::store::events::{self, NewEvent};

/// How long a response waits for its event to be written. After that, background work writes it.
const WRITTEN_WITHIN: Duration = Duration::from_millis(200);
/// How much may wait while the database is down. The log gets every event regardless.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Rows per statement, few enough to finish well within the statement timeout.
const BATCH: usize = 1000;

pub struct EventQueue {
    db: Db,
    waiting: Mutex<Waiting>,
    /// Held while writing.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<NewEvent>,
    bytes: usize,
    /// How many events have left the queue, which is also the number of the first one in it.
    left: u64,
    dropped: u64,
}

impl EventQueue {
    pub fn new(db: Db) -> Self {
        Self {
            db,
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Logs an event and stores it. Once this returns, its user sees it on every instance, unless the database is too
    /// slow.
    pub async fn record(&self, kind: Kind, user_id: Option<Uuid>, client: &Client) {
        self.record_made(made(kind, user_id, client)).await;
    }

    /// The same for an event with details.
    pub async fn record_made(&self, event: NewEvent) {
        log(&event);
        let number = self.push(event);
        let _ = timeout(WRITTEN_WITHIN, self.write_until(number)).await;
    }

    /// Writes everything in the queue.
    pub async fn write_down(&self) -> Result<(), DbError> {
        self.write_until(u64::MAX).await
    }

    /// Writes events in order until `number` of them have left the queue.
    async fn write_until(&self, number: u64) -> Result<(), DbError> {
        let _turn = self.turn.lock().await;
        loop {
            let batch = self.batch(number);
            if batch.is_empty() {
                return Ok(());
            }
            match self.insert(&batch).await {
                Ok(()) => self.leave(batch.len()),
                Err(error @ DbError::Unavailable(_)) => return Err(error),
                Err(_) => self.write_apart(&batch).await?,
            }
        }
    }

    /// A user in the batch has been deleted along with their events. Writes the other events one by one.
    async fn write_apart(&self, batch: &[NewEvent]) -> Result<(), DbError> {
        for event in batch {
            match self.insert(std::slice::from_ref(event)).await {
                Ok(()) | Err(DbError::Constraint(_)) => {}
                Err(error @ DbError::Unavailable(_)) => return Err(error),
                Err(DbError::Query(error)) => {
                    tracing::error!(%error, kind = event.kind, "cannot write an event");
                }
            }
            self.leave(1);
        }
        Ok(())
    }

    async fn insert(&self, batch: &[NewEvent]) -> Result<(), DbError> {
        let written = self.db.run(async |conn| events::insert(conn, batch).await);
        written.await.map(|_| ())
    }

    /// Queues an event. Returns how many must have left before it is written.
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

    /// The size of the queue in memory.
    pub fn bytes(&self) -> usize {
        self.waiting().bytes
    }

    /// The next events to write. They stay in the queue until then, because a writer may be cancelled.
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
                "the event queue was full; these events are only in the log"
            );
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In memory: the struct, the User-Agent, which is truncated where it is read, and the details, roughly.
fn size(event: &NewEvent) -> usize {
    let details = event.details.as_ref().map_or(0, |_| 512);
    size_of::<NewEvent>() + event.user_agent.as_ref().map_or(0, String::len) + details
}
