//! A session in memory: when it ends, and when its use is due to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::lifetimes::Lifetimes;
use crate::domain::secret::KeyHash;
use crate::store::sessions::Session;
use crate::store::users::User;

/// Who made a request: a live session and its user.
#[derive(Clone)]
pub struct Visit {
    pub live: Arc<LiveSession>,
    pub user: Arc<User>,
}

impl Visit {
    pub fn session(&self) -> &Session {
        &self.live.row
    }

    /// How long the browser should keep the cookie from now on. `None` means until it is closed.
    pub fn keep_for(&self) -> Option<Duration> {
        let left = self.session().expires_at - self.live.now();
        let left = left.to_std().unwrap_or_default();
        self.session().remembered.then_some(left)
    }
}

/// A session as the database had it at a known moment. From there the monotonic clock counts, so that changes of the
/// system clock neither end nor revive a session.
pub struct LiveSession {
    pub row: Session,
    pub key_hash: KeyHash,
    read_at: DateTime<Utc>,
    since: Instant,
    /// When its use was last recorded, in milliseconds after `since`.
    used: AtomicU64,
}

impl LiveSession {
    pub fn new(row: Session, key_hash: KeyHash, read_at: DateTime<Utc>) -> Self {
        Self {
            row,
            key_hash,
            read_at,
            since: Instant::now(),
            used: AtomicU64::new(0),
        }
    }

    /// The database's time, extrapolated.
    pub fn now(&self) -> DateTime<Utc> {
        self.read_at + self.since.elapsed()
    }

    /// When the session ends if it is not used again.
    pub fn deadline(&self, lifetimes: &Lifetimes) -> DateTime<Utc> {
        lifetimes.deadline(&Session {
            last_seen_at: self.last_seen_at(),
            ..self.row.clone()
        })
    }

    pub fn is_over(&self, lifetimes: &Lifetimes) -> bool {
        let now = self.now();
        let unused = !self.row.remembered && now >= self.last_seen_at() + lifetimes.idle;
        unused || now >= self.row.expires_at
    }

    fn last_seen_at(&self) -> DateTime<Utc> {
        self.last_seen_after(self.used.load(Ordering::Relaxed))
    }

    fn last_seen_after(&self, used: u64) -> DateTime<Utc> {
        match used {
            0 => self.row.last_seen_at,
            millis => self.read_at + Duration::from_millis(millis),
        }
    }

    /// Records the use. Returns true if it is due to be written, to one caller only.
    pub fn use_is_due(&self, interval: Duration) -> bool {
        let before = self.used.load(Ordering::Relaxed);
        if self.now() < self.last_seen_after(before) + interval {
            return false;
        }
        let millis = u64::try_from(self.since.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        self.used
            .compare_exchange(before, millis, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}
