//! What the requests of an instance tell its mailer.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

#[derive(Default)]
pub struct Mailbox {
    waiting: Notify,
    /// Users whose password strangers have tried too often. Noted in memory, because a refusal must not take longer for
    /// an account that exists.
    tried: Mutex<HashSet<Uuid>>,
}

/// How many such users are kept until the mailer comes by.
const TRIED_MAX: usize = 10_000;

impl Mailbox {
    /// A mail waits in the outbox.
    pub fn wake(&self) {
        self.waiting.notify_one();
    }

    pub async fn woken(&self) {
        self.waiting.notified().await;
    }

    pub fn note_tried(&self, user_id: Uuid) {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.len() < TRIED_MAX {
            tried.insert(user_id);
        }
    }

    pub fn take_tried(&self) -> HashSet<Uuid> {
        std::mem::take(&mut self.tried.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
