//! Reports what anyone can trigger at will: at once, and then once a minute with a count.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::queue::EventQueue;
use super::{Kind, made};
use crate::domain::client::Client;
use crate::store::events::NewEvent;

const REPORT_EVERY: Duration = Duration::from_secs(60);
/// Keys tracked at a time, about 600 bytes each. Beyond that, all others share one key.
const KEYS_MAX: usize = 4096;
const ALL_OTHERS: &[u8] = b"";

/// Something that may repeat, described by its first occurrence.
#[derive(Clone)]
pub struct Noted {
    event: Event,
    /// The limit or the cause.
    what: String,
    client: Client,
}

#[derive(Clone, Copy)]
enum Event {
    /// Gets a row as well as a log line.
    Limit,
    Warning(&'static str),
}

impl Noted {
    pub fn limit(name: &str, client: &Client) -> Self {
        Self {
            event: Event::Limit,
            what: name.to_owned(),
            client: client.clone(),
        }
    }

    pub fn warning(event: &'static str, what: &str, client: &Client) -> Self {
        Self {
            event: Event::Warning(event),
            what: what.to_owned(),
            client: client.clone(),
        }
    }
}

pub struct Repeats {
    events: Arc<EventQueue>,
    seen: Mutex<HashMap<Vec<u8>, Repeat>>,
}

struct Repeat {
    reported: Instant,
    since_then: u32,
    noted: Noted,
}

impl Repeats {
    pub fn new(events: Arc<EventQueue>) -> Self {
        Self {
            events,
            seen: Mutex::default(),
        }
    }

    /// Returns what to report now. Calls `noted` only for a new key.
    fn first(&self, key: &[u8], noted: impl FnOnce() -> Noted) -> Option<Noted> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let full = seen.len() >= KEYS_MAX && !seen.contains_key(key);
        let key = if full { ALL_OTHERS } else { key };
        if let Some(repeat) = seen.get_mut(key) {
            repeat.since_then = repeat.since_then.saturating_add(1);
            return None;
        }
        let noted = noted();
        let repeat = Repeat {
            reported: Instant::now(),
            since_then: 0,
            noted: noted.clone(),
        };
        seen.insert(key.to_vec(), repeat);
        Some(noted)
    }

    /// The entries whose minute has passed, or all of them, with their counts since the last report.
    fn due(&self, everything: bool) -> Vec<(Noted, u32)> {
        let mut due = Vec::new();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, repeat| {
            if !everything && repeat.reported.elapsed() < REPORT_EVERY {
                return true;
            }
            let count = std::mem::take(&mut repeat.since_then);
            if count > 0 {
                due.push((repeat.noted.clone(), count));
                repeat.reported = Instant::now();
            }
            count > 0
        });
        due
    }

    /// Reports at once, and then at most once a minute for each `key`.
    pub fn note(&self, key: &[u8], noted: impl FnOnce() -> Noted) {
        if let Some(noted) = self.first(key, noted) {
            self.report(&noted, 1);
        }
    }

    /// Reports repetitions whose minute has passed, or all of them before shutdown.
    pub fn report_due(&self, everything: bool) {
        for (noted, count) in self.due(everything) {
            self.report(&noted, count);
        }
    }

    fn report(&self, noted: &Noted, count: u32) {
        log(noted, count);
        if let Event::Limit = noted.event {
            let count = i32::try_from(count).unwrap_or(i32::MAX);
            self.events.push(NewEvent {
                count,
                ..made(Kind::LimitHit, None, &noted.client)
            });
        }
    }
}

fn log(noted: &Noted, count: u32) {
    let what = &noted.what;
    let Client {
        ip,
        user_agent,
        request_id,
        ..
    } = &noted.client;
    match noted.event {
        Event::Limit => {
            let event: &str = Kind::LimitHit.into();
            tracing::info!(event, what, count, %ip, user_agent, %request_id);
        }
        Event::Warning(event) => {
            tracing::warn!(event, what, count, %ip, user_agent, %request_id);
        }
    }
}
