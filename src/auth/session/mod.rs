//! Sessions: starting one, ending it, and the list of one's own.

use std::time::Duration;

use uuid::Uuid;

use super::error::{AuthError, Result};
use super::events::{self, Kind};
use super::services::Services;
use crate::domain::client::{Client, Devices};
use crate::domain::secret::{KeyHash, SessionKey};
use crate::store::login::{self, NewSession};
use crate::store::sessions::{self, ListedSession, Session};
use crate::store::users::{self, Account, User};
use live::Visit;

pub mod cache;
pub mod lifetimes;
pub mod listener;
pub mod live;
pub mod recognize;
pub mod uses;

/// Sessions one user may have at a time; the oldest ends. Nobody has so many browsers, and the list stays readable.
const MAX_PER_USER: i64 = 50;

/// How somebody showed who they are. Every session starts on one, whatever the way in.
pub enum Proof {
    /// Their password matched this stored hash.
    Password { hash: String },
}

/// What a browser is to hold from now on.
pub struct Issued {
    pub key: SessionKey,
    /// For how long; `None` until the browser is closed.
    pub keep_for: Option<Duration>,
    /// What it is known by at the next login, where that has changed.
    pub devices: Option<Devices>,
}

/// A session that has just begun.
pub struct Started {
    pub issued: Issued,
    pub session: Session,
    pub user: User,
}

/// Starts a session. `None` if since the proof the user was disabled, or the proof is worth nothing any more.
pub async fn start(
    services: &Services,
    account: &Account,
    proof: &Proof,
    remembered: bool,
    client: &Client,
) -> Result<Option<Started>> {
    let key = SessionKey::generate()?;
    let key_hash = key.hash();
    let user_id = account.user.id;
    let Proof::Password { hash } = proof;
    let event = events::made(Kind::LoggedIn, Some(user_id), client);
    let new = NewSession {
        user_id,
        verified_hash: hash,
        key_hash: key_hash.as_bytes(),
        remembered,
        network: client.neighbourhood(),
        lifetime: services.policy.lifetimes.lifetime(remembered),
        event: &event,
    };
    let started = services
        .db
        .run(async |conn| login::start(conn, new).await)
        .await?;
    let Some(started) = started else {
        return Ok(None);
    };
    services.sessions.forget_user(&user_id);
    if started.sessions_before >= MAX_PER_USER {
        let ended = services
            .db
            .run(async |conn| sessions::end_oldest(conn, user_id, MAX_PER_USER).await)
            .await?;
        forget(services, &ended);
    }
    events::log(&event);
    let (session, user) = (started.session, started.user);
    let devices = client.devices.clone();
    let devices = devices.with(user_id, account.password_epoch, session.created_at)?;
    let issued = Issued {
        key,
        keep_for: remembered.then_some(services.policy.lifetimes.remember),
        devices: Some(devices),
    };
    Ok(Some(Started {
        issued,
        session,
        user,
    }))
}

/// The session goes on under a new key, and was proven just now; the old key is dead.
pub async fn renew(services: &Services, visit: &Visit) -> Result<(Issued, Session)> {
    let key = SessionKey::generate()?;
    let (old, new) = (visit.live.key_hash, key.hash());
    let renewed = services
        .db
        .run(async |conn| sessions::renew(conn, old.as_bytes(), new.as_bytes()).await)
        .await?;
    services.sessions.forget_session(&old);
    let session = renewed.ok_or(AuthError::NotAuthenticated)?;
    let issued = Issued {
        key,
        keep_for: visit.keep_for(),
        devices: None,
    };
    Ok((issued, session))
}

/// Ends the session of a visit, if it is not over already: by its id, since it may have got another key meanwhile.
pub async fn end(services: &Services, visit: &Visit, client: &Client) -> Result<()> {
    let user_id = visit.user.id;
    let ended = end_one(services, user_id, visit.session().id).await?;
    services.sessions.forget_session(&visit.live.key_hash);
    if ended {
        services
            .events
            .record(Kind::LoggedOut, Some(user_id), client)
            .await;
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
    if !end_one(services, user_id, id).await? {
        return Err(AuthError::SessionNotFound);
    }
    services
        .events
        .record(Kind::SessionRevoked, Some(user_id), client)
        .await;
    Ok(())
}

/// Returns whether it was still there.
async fn end_one(services: &Services, user_id: Uuid, id: Uuid) -> Result<bool> {
    let ended = services
        .db
        .run(async |conn| sessions::end_of_user(conn, user_id, id).await)
        .await?;
    forget(services, ended.as_slice());
    Ok(ended.is_some())
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
        services
            .events
            .record(Kind::OtherSessionsRevoked, Some(user_id), client)
            .await;
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
