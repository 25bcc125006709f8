//! What anybody can cause as often as they like is told at once and then once a minute, with a count.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use uuid::Uuid;

use super::Kind;
use crate::auth::Services;
use crate::auth::client::Client;
use crate::store::events::NewEvent;

const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Things told apart at a time, some 600 bytes each; beyond that all others count as one.
const KEYS_MAX: usize = 4096;
const ALL_OTHERS: &[u8] = b"";

/// What happened again and again, told by the first time.
#[derive(Clone)]
pub struct Noted {
    event: &'static str,
    /// Which limit, which cause.
    what: String,
    ip: IpAddr,
    user_agent: Option<String>,
    request_id: Uuid,
}

impl Noted {
    pub fn new(event: &'static str, what: impl Into<String>, client: &Client) -> Self {
        Self {
            event,
            what: what.into(),
            ip: client.ip,
            user_agent: client.user_agent.clone(),
            request_id: client.request_id,
        }
    }

    fn log(&self, count: u32) {
        let (event, what, ip, request_id) = (self.event, &self.what, self.ip, self.request_id);
        let user_agent = &self.user_agent;
        if self.is_limit() {
            tracing::info!(event, what, count, %ip, user_agent, %request_id);
        } else {
            tracing::warn!(event, what, count, %ip, user_agent, %request_id);
        }
    }

    fn is_limit(&self) -> bool {
        self.event == Kind::LimitHit.name()
    }
}

#[derive(Default)]
pub struct Repeats(Mutex<HashMap<Vec<u8>, Repeat>>);

struct Repeat {
    told: Instant,
    since_then: u32,
    noted: Noted,
}

impl Repeats {
    /// What is to be told now. `noted` is made only for what was not there before.
    fn first(&self, key: &[u8], noted: impl FnOnce() -> Noted) -> Option<Noted> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = seen.len() >= KEYS_MAX && !seen.contains_key(key);
        let key = if full { ALL_OTHERS } else { key };
        if let Some(repeat) = seen.get_mut(key) {
            repeat.since_then = repeat.since_then.saturating_add(1);
            return None;
        }
        let noted = noted();
        let repeat = Repeat {
            told: Instant::now(),
            since_then: 0,
            noted: noted.clone(),
        };
        seen.insert(key.to_vec(), repeat);
        Some(noted)
    }

    /// What a minute has passed for, or everything, with how often it happened since it was told.
    fn due(&self, everything: bool) -> Vec<(Noted, u32)> {
        let mut due = Vec::new();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, repeat| {
            if !everything && repeat.told.elapsed() < TOLD_EVERY {
                return true;
            }
            let count = std::mem::take(&mut repeat.since_then);
            if count > 0 {
                due.push((repeat.noted.clone(), count));
                repeat.told = Instant::now();
            }
            count > 0
        });
        due
    }

    /// Notes what is only logged.
    pub fn log(&self, key: &[u8], noted: impl FnOnce() -> Noted) {
        if let Some(noted) = self.first(key, noted) {
            noted.log(1);
        }
    }
}

/// Notes what is logged and has a row, at most one of each a minute for each `key`.
pub fn repeated(services: &Services, key: &[u8], noted: impl FnOnce() -> Noted) {
    if let Some(noted) = services.repeats.first(key, noted) {
        report(services, &noted, 1);
    }
}

/// Reports what happened again, once its minute is over, or in any case before the end.
pub fn report_due(services: &Services, everything: bool) {
    for (noted, count) in services.repeats.due(everything) {
        report(services, &noted, count);
    }
}

fn report(services: &Services, noted: &Noted, count: u32) {
    noted.log(count);
    if noted.is_limit() {
        services.events.push(NewEvent {
            id: Uuid::now_v7(),
            kind: noted.event,
            user_id: None,
            ip: IpNet::from(noted.ip),
            user_agent: noted.user_agent.clone(),
            request_id: noted.request_id,
            count: i32::try_from(count).unwrap_or(i32::MAX),
            happened: Instant::now(),
        });
    }
}
