//! Sessions that were used, until that is written down for many at a time.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

/// Bounds the memory while the database is away; a use that is not noted costs its session some idle time.
const PENDING_MAX: usize = 200_000;

/// Sessions whose use waits to be written down.
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
