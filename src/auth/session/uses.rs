//! Collects the sessions that were used, to be written in batches.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use uuid::Uuid;

/// Bounds the memory while the database is down. Dropping a use only costs its session some idle time.
const PENDING_MAX: usize = 200_000;

/// Sessions whose use is not written yet, and when they were last used.
#[derive(Default)]
pub struct UsedSessions(Mutex<HashMap<Uuid, Instant>>);

impl UsedSessions {
    /// Keeps the latest use of each session.
    pub fn note(&self, id: Uuid, at: Instant) {
        let mut pending = self.pending();
        if pending.len() < PENDING_MAX || pending.contains_key(&id) {
            let latest = pending.entry(id).or_insert(at);
            *latest = at.max(*latest);
        }
    }

    pub fn take(&self) -> Vec<(Uuid, Instant)> {
        std::mem::take(&mut *self.pending()).into_iter().collect()
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<Uuid, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
