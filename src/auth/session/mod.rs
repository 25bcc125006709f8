//! Sessions: recognising one, starting it, ending it.

use std::sync::Arc;

use ipnet::IpNet;
use uuid::Uuid;

use self::live::Recognized;
use super::Services;
use super::error::{AuthError, Result};
use super::events::{self, Kind, record};
use crate::domain::client::{Client, Devices};
use crate::domain::secret::{KeyHash, SessionKey};
use crate::store::login::{self, Login};
use crate::store::sessions::{self, ListedSession, Session};
use crate::store::users::{self, Account, User};

pub mod cache;
pub mod listener;
pub mod live;

/// Sessions one user may have at a time; the oldest ends. Nobody has so many browsers, and the list stays readable.
const MAX_PER_USER: i64 = 50;

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
    /// What this browser is known by from now on.
    pub devices: Devices,
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
    if visit.recognized.is_over(&services.policy.lifetimes) {
        // What was over once stays over, also when the database's clock goes back.
        services
            .db
            .run(async |conn| sessions::end_unused(conn, visit.session()).await)
            .await?;
        return Ok(None);
    }
    if visit.user.disabled_at.is_some() {
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

/// Starts a session for a user whose password was just checked. `None` if the user was disabled or got another password
/// meanwhile.
pub async fn start(
    services: &Services,
    account: &Account,
    remembered: bool,
    network: IpNet,
    client: &Client,
) -> Result<Option<Started>> {
    let key = SessionKey::generate()?;
    let key_hash = key.hash();
    let user_id = account.user.id;
    let event = events::made(Kind::LoggedIn, Some(user_id), client);
    let login = Login {
        user_id,
        verified_hash: &account.password_hash,
        key_hash: key_hash.as_bytes(),
        remembered,
        network,
        lifetime: services.policy.lifetimes.lifetime(remembered),
        event: &event,
    };
    let started = services
        .db
        .run(async |conn| login::start(conn, login).await)
        .await?;
    let Some((session, user, before)) = started else {
        return Ok(None);
    };
    services.sessions.forget_user(&user_id);
    if before >= MAX_PER_USER {
        let ended = services
            .db
            .run(async |conn| sessions::end_oldest(conn, user_id, MAX_PER_USER).await)
            .await?;
        forget(services, &ended);
    }
    events::log(&event);
    let devices = client.devices.clone();
    let devices = devices.with(user_id, account.password_epoch, session.created_at)?;
    Ok(Some(Started {
        key,
        session,
        user,
        devices,
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
        record(services, Kind::LoggedOut, Some(session.user_id), client).await;
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
    record(services, Kind::SessionRevoked, Some(user_id), client).await;
    Ok(())
}

/// Ends all sessions of a user but `kept`; returns how many.
pub async fn revoke_others(
    services: &Services,
    user_id: Uuid,
    kept: Uuid,
    client: &Client,
) -> Result<usize> {
    let ended = end_all(services, user_id, Some(kept)).await?;
    if ended > 0 {
        record(services, Kind::OtherSessionsRevoked, Some(user_id), client).await;
    }
    Ok(ended)
}

/// Ends all sessions of a user, or all but `kept`, those that begin at this moment too; returns how many.
pub async fn end_all(services: &Services, user_id: Uuid, kept: Option<Uuid>) -> Result<usize> {
    let ended = services.db.transaction(async |conn| {
        users::lock(conn, user_id).await?;
        sessions::end_all(conn, user_id, kept).await
    });
    let ended = ended.await?;
    forget(services, &ended);
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
