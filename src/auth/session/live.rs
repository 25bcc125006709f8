//! A session in memory: when it ends, and when its use is worth writing down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::domain::secret::KeyHash;
use crate::store::sessions::Session;

/// How long sessions live.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Without use, unless remembered.
    pub idle: Duration,
    /// At most, unless remembered.
    pub max: Duration,
    /// At most, when remembered; also the cookie's Max-Age.
    pub remember: Duration,
    /// How long a password counts as just given.
    pub reauth: Duration,
}

impl Default for Lifetimes {
    /// OWASP ASVS 5.0 V7.3 asks for both an idle and an absolute limit and leaves the figures to the risk.
    fn default() -> Self {
        let hours = |n: u64| Duration::from_secs(n * 3600);
        Self {
            idle: hours(12),
            max: hours(24),
            remember: hours(30 * 24),
            reauth: Duration::from_secs(15 * 60),
        }
    }
}

impl Lifetimes {
    /// `last_seen_at` is written at most this often for a session: once a minute, more often only for an idle time
    /// so short that a minute would matter.
    pub fn touch_interval(&self) -> Duration {
        Duration::from_secs(60).min(self.idle / 10)
    }

    /// The absolute lifetime.
    pub fn lifetime(&self, remembered: bool) -> Duration {
        if remembered { self.remember } else { self.max }
    }

    /// When the session ends if it is not used again.
    pub fn deadline(&self, session: &Session) -> DateTime<Utc> {
        if session.remembered {
            session.expires_at
        } else {
            session.expires_at.min(session.last_seen_at + self.idle)
        }
    }
}

/// A session as it was in the database at a known moment. Time goes on from there by the monotonic clock, so that a
/// change of the machine's clock neither ends nor revives anything.
pub struct Recognized {
    pub session: Session,
    pub key_hash: KeyHash,
    read_at: DateTime<Utc>,
    since: Instant,
    /// Milliseconds after `since` at which its use was last noted.
    used: AtomicU64,
}

impl Recognized {
    pub fn new(session: Session, key_hash: KeyHash, read_at: DateTime<Utc>) -> Self {
        Self {
            session,
            key_hash,
            read_at,
            since: Instant::now(),
            used: AtomicU64::new(0),
        }
    }

    /// The database's time, reckoned on.
    pub fn now(&self) -> DateTime<Utc> {
        self.read_at + self.since.elapsed()
    }

    /// When the session ends if it is not used again.
    pub fn deadline(&self, lifetimes: &Lifetimes) -> DateTime<Utc> {
        lifetimes.deadline(&Session {
            last_seen_at: self.last_seen_at(),
            ..self.session.clone()
        })
    }

    pub fn is_over(&self, lifetimes: &Lifetimes) -> bool {
        let now = self.now();
        let unused = !self.session.remembered && now >= self.last_seen_at() + lifetimes.idle;
        unused || now >= self.session.expires_at
    }

    fn last_seen_at(&self) -> DateTime<Utc> {
        match self.used.load(Ordering::Relaxed) {
            0 => self.session.last_seen_at,
            millis => self.read_at + Duration::from_millis(millis),
        }
    }

    /// Notes the use; true if it is time to write it down, for one caller only.
    pub fn use_is_due(&self, interval: Duration) -> bool {
        let now = self.now();
        if now < self.last_seen_at() + interval {
            return false;
        }
        let before = self.used.load(Ordering::Relaxed);
        let millis = u64::try_from(self.since.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        self.used
            .compare_exchange(before, millis, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}
