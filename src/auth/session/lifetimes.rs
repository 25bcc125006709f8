//! How long sessions live.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::store::sessions::Session;

/// The limits that the operator can set.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Until an unused session ends, unless it is remembered.
    pub idle: Duration,
    /// Until a session ends in any case, unless it is remembered.
    pub max: Duration,
    /// Until a remembered session ends; also the cookie's Max-Age.
    pub remember: Duration,
    /// How long a proof counts as recent.
    pub reauth: Duration,
}

impl Default for Lifetimes {
    /// OWASP ASVS 5.0 V7.3 asks for an idle and an absolute limit, and leaves the figures to a risk analysis.
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
    /// How often `last_seen_at` is written per session: at most once a minute, or more often if the idle limit is so
    /// short that a minute matters.
    pub fn touch_interval(&self) -> Duration {
        Duration::from_secs(60).min(self.idle / 10)
    }

    /// The absolute lifetime.
    pub fn lifetime(&self, remembered: bool) -> Duration {
        if remembered { self.remember } else { self.max }
    }

    /// When a session ends if it is not used again.
    pub fn deadline(&self, session: &Session) -> DateTime<Utc> {
        if session.remembered {
            session.expires_at
        } else {
            session.expires_at.min(session.last_seen_at + self.idle)
        }
    }
}
