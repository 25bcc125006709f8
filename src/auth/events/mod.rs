//! Security events: one log line each at once, and a row that is there before the answer.

use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::time::timeout;
use uuid::Uuid;

use super::Services;
use super::error::Result;
use crate::domain::client::Client;
use crate::store::events::{self, Event, NewEvent};

mod queue;
mod repeats;

pub use queue::{EventQueue, write_down};
pub use repeats::{Noted, Repeats, repeated, report_due};

/// Events on one page.
pub const PAGE: usize = 50;
/// An answer waits at most this long for its event to be written; after that it is written without the answer.
const WRITTEN_WITHIN: Duration = Duration::from_millis(200);

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
    Unlocked,
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
            Self::Unlocked => "unlocked",
            Self::LimitHit => "limit_hit",
        }
    }
}

/// Notes an event: who, what, from where, in which request. Once this returns its user sees it, on every instance,
/// unless the database is too slow for that.
pub async fn record(services: &Services, kind: Kind, user_id: Option<Uuid>, client: &Client) {
    let event = made(kind, user_id, client);
    log(&event);
    let number = services.events.push(event);
    let _ = timeout(WRITTEN_WITHIN, queue::write_until(services, number)).await;
}

/// An event that happens now.
pub fn made(kind: Kind, user_id: Option<Uuid>, client: &Client) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        kind: kind.name(),
        user_id,
        ip: IpNet::from(client.ip),
        user_agent: client.user_agent.clone(),
        request_id: client.request_id,
        count: 1,
        happened: Instant::now(),
    }
}

pub fn log(event: &NewEvent) {
    let (user, ip) = (event.user_id.map(tracing::field::display), event.ip.addr());
    let (user_agent, request_id) = (&event.user_agent, event.request_id);
    tracing::info!(event = event.kind, user, %ip, user_agent, %request_id);
}

/// A page of a user's events, the newest first, and the cursor of the next page if there is one.
pub async fn page(
    services: &Services,
    user_id: Uuid,
    before: Option<Uuid>,
) -> Result<(Vec<Event>, Option<Uuid>)> {
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
