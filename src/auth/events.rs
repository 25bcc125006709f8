//! Security events: one log line each at once, and a row that follows within a second.

use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use uuid::Uuid;

use super::Services;
use super::client::Client;
use super::error::Result;
use crate::store::events::{self, Event, NewEvent};

/// Rows that may wait while the database is away; the log has every event all the same.
const PENDING_MAX: usize = 10_000;
/// Events on one page.
pub const PAGE: usize = 50;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Registered,
    LoggedIn,
    LoginFailed,
    LoginRefused,
    LoggedOut,
    SessionRevoked,
    OtherSessionsRevoked,
    SessionsRevoked,
    Reauthenticated,
    ReauthenticationFailed,
    PasswordChanged,
    Disabled,
    Enabled,
    LimitHit,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::LoggedIn => "logged_in",
            Self::LoginFailed => "login_failed",
            Self::LoginRefused => "login_refused",
            Self::LoggedOut => "logged_out",
            Self::SessionRevoked => "session_revoked",
            Self::OtherSessionsRevoked => "other_sessions_revoked",
            Self::SessionsRevoked => "sessions_revoked",
            Self::Reauthenticated => "reauthenticated",
            Self::ReauthenticationFailed => "reauthentication_failed",
            Self::PasswordChanged => "password_changed",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::LimitHit => "limit_hit",
        }
    }
}

/// Events that wait to be written.
#[derive(Default)]
pub struct PendingEvents(Mutex<Vec<NewEvent>>);

impl PendingEvents {
    pub fn push(&self, event: NewEvent) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() < PENDING_MAX {
            pending.push(event);
        }
    }

    pub fn take(&self) -> Vec<NewEvent> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Notes an event: who, what, from where, in which request.
pub fn record(services: &Services, kind: Kind, user_id: Option<Uuid>, client: &Client) {
    let (event, ip, request_id) = (kind.name(), client.ip, client.request_id);
    let user = user_id.map(tracing::field::display);
    tracing::info!(event, user, %ip, user_agent = client.user_agent, %request_id);
    services.pending_events.push(NewEvent {
        kind: event,
        user_id,
        ip: IpNet::from(ip),
        user_agent: client.user_agent.clone(),
        request_id,
    });
}

/// A page of a user's events, the newest first, and the cursor of the next page if there is one.
pub async fn page(
    services: &Services,
    user_id: Uuid,
    before: Option<i64>,
) -> Result<(Vec<Event>, Option<i64>)> {
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut rows = services
        .db
        .run(async |conn| events::of_user(conn, user_id, before, limit).await)
        .await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|event| event.id);
    Ok((rows, next))
}
