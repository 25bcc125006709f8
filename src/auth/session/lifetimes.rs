//! How long sessions live.

use std::time::Duration;

use chrono::{DateTime, Utc};

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
