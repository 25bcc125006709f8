//! Collects the sessions that were used, to be written in batches.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// Bounds the memory while the database is down. Dropping a use only costs its session some idle time.
const PENDING_MAX: usize = 200_000;

/// Sessions whose use is not written yet.
#[derive(Default)]
pub struct UsedSessions(Mutex<HashSet<Uuid>>);

impl UsedSessions {
    pub fn note(&self, id: Uuid) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() < PENDING_MAX {
            pending.insert(id);
        }
    }

    pub fn take(&self) -> Vec<Uuid> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *pending).into_iter().collect()
    }
}
