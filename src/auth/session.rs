//! Sessions: recognising one, starting it, ending it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use uuid::Uuid;

use super::Services;
use super::client::Client;
use super::error::{AuthError, Result};
use super::events::{Kind, record};
use super::key::{KeyHash, SessionKey};
use crate::store::sessions::{self, ListedSession, NewSession, Session};
use crate::store::users::{self, Account, User};

/// Sessions one user may have at a time; the oldest ends. Nobody has so many browsers, and the list stays readable.
const MAX_PER_USER: i64 = 50;
/// Longer ones say nothing more to the person who reads the list.
const USER_AGENT_MAX: usize = 256;

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
    fn new(session: Session, key_hash: KeyHash, read_at: DateTime<Utc>) -> Self {
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

    fn is_over(&self, lifetimes: &Lifetimes) -> bool {
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
    fn use_is_due(&self, interval: Duration) -> bool {
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

/// Who is there: a live session and its user.
#[derive(Clone)]
pub struct Visit {
    pub recognized: Arc<Recognized>,
    pub user: Arc<User>,
}

impl Visit {
    pub fn session(&self) -> &Session {
        &self.recognized.session
    }
}

/// A session that has just begun; the key goes into the cookie.
pub struct Started {
    pub key: SessionKey,
    pub session: Session,
    pub user: User,
}

/// Recognises the holder of a key: from memory, else by one query.
pub async fn recognize(services: &Services, key_hash: KeyHash) -> Result<Option<Visit>> {
    if let Some(visit) = recall(services, &key_hash) {
        return Ok(Some(visit));
    }
    let ticket = services.sessions.ticket();
    let found = services
        .db
        .read(async |conn| sessions::find(conn, key_hash.as_bytes()).await)
        .await?;
    let Some((now, session, user)) = found else {
        return Ok(None);
    };
    let visit = Visit {
        recognized: Arc::new(Recognized::new(session, key_hash, now)),
        user: Arc::new(user),
    };
    if visit.user.disabled_at.is_some() || visit.recognized.is_over(&services.policy.lifetimes) {
        return Ok(None);
    }
    services.sessions.keep(ticket, &visit);
    note_use(services, &visit);
    Ok(Some(visit))
}

/// What memory says; `None` means that the database must be asked.
pub fn recall(services: &Services, key_hash: &KeyHash) -> Option<Visit> {
    let visit = services.sessions.get(key_hash)?;
    if visit.recognized.is_over(&services.policy.lifetimes) {
        return None;
    }
    note_use(services, &visit);
    Some(visit)
}

fn note_use(services: &Services, visit: &Visit) {
    if visit
        .recognized
        .use_is_due(services.policy.lifetimes.touch_interval())
    {
        services.used_sessions.note(visit.session().id);
    }
}

/// Starts a session for a user whose password was just checked against `verified_hash`. `None` if the user was
/// disabled or got another password meanwhile.
pub async fn start(
    services: &Services,
    account: &Account,
    remembered: bool,
    client: &Client,
    rehashed: Option<&str>,
) -> Result<Option<Started>> {
    let key = SessionKey::generate()?;
    let key_hash = key.hash();
    let lifetime = services.policy.lifetimes.lifetime(remembered);
    let user_agent = client.user_agent.as_deref().map(shorten);
    let started = services
        .db
        .transaction(async |conn| {
            let Some(user) =
                users::note_login(conn, account.user.id, &account.password_hash).await?
            else {
                return Ok(None);
            };
            let session = NewSession {
                key_hash: key_hash.as_bytes(),
                user_id: user.id,
                remembered,
                ip: Some(IpNet::from(client.ip)),
                user_agent,
                expires_at: sessions::current_time(conn).await? + lifetime,
            };
            let session = sessions::insert(conn, &session).await?;
            sessions::end_oldest(conn, user.id, MAX_PER_USER).await?;
            if let Some(hash) = rehashed {
                users::rehash(conn, user.id, &account.password_hash, hash).await?;
            }
            Ok(Some((session, user)))
        })
        .await?;
    Ok(started.map(|(session, user)| {
        services.sessions.forget_user(&user.id);
        record(services, Kind::LoggedIn, Some(user.id), client);
        Started { key, session, user }
    }))
}

/// Ends the session of this key, if it is not over already.
pub async fn end(services: &Services, key_hash: KeyHash, client: &Client) -> Result<()> {
    let ended = services
        .db
        .run(async |conn| sessions::end(conn, key_hash.as_bytes()).await)
        .await?;
    services.sessions.forget_session(&key_hash);
    if let Some(session) = ended {
        record(services, Kind::LoggedOut, Some(session.user_id), client);
    }
    Ok(())
}

/// The live sessions of a user, the one used last first.
pub async fn list(services: &Services, user_id: Uuid) -> Result<Vec<ListedSession>> {
    let rows = services
        .db
        .run(async |conn| sessions::list(conn, user_id).await)
        .await?;
    let lifetimes = &services.policy.lifetimes;
    let live = rows
        .into_iter()
        .filter(|(now, listed)| lifetimes.deadline(&listed.session) > *now);
    Ok(live.map(|(_, listed)| listed).collect())
}

/// Ends one session of a user by its public id.
pub async fn revoke(services: &Services, user_id: Uuid, id: Uuid, client: &Client) -> Result<()> {
    let ended = services
        .db
        .run(async |conn| sessions::end_of_user(conn, user_id, id).await)
        .await?;
    let key_hash = ended.ok_or(AuthError::SessionNotFound)?;
    forget(services, &[key_hash]);
    record(services, Kind::SessionRevoked, Some(user_id), client);
    Ok(())
}

/// Ends all sessions of a user but `kept`; returns how many.
pub async fn revoke_others(
    services: &Services,
    user_id: Uuid,
    kept: Uuid,
    client: &Client,
) -> Result<usize> {
    let ended = services
        .db
        .run(async |conn| sessions::end_all(conn, user_id, Some(kept)).await)
        .await?;
    forget(services, &ended);
    record(services, Kind::OtherSessionsRevoked, Some(user_id), client);
    Ok(ended.len())
}

/// The word comes by the listener too; this instance must not wait for it.
pub fn forget(services: &Services, key_hashes: &[Vec<u8>]) {
    for key_hash in key_hashes
        .iter()
        .filter_map(|bytes| KeyHash::from_bytes(bytes))
    {
        services.sessions.forget_session(&key_hash);
    }
}

/// At most [`USER_AGENT_MAX`] bytes.
fn shorten(user_agent: &str) -> &str {
    &user_agent[..user_agent.floor_char_boundary(USER_AGENT_MAX)]
}
