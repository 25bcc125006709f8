//! Sessions: starting, renewing, listing and ending them.

use std::time::Duration;

use uuid::Uuid;

use super::error::{AuthError, Result};
use super::events::Kind;
use super::services::Services;
use crate::domain::client::{Client, Devices};
use crate::domain::proof::Proof;
use crate::domain::secret::{KeyHash, SessionKey};
use crate::store::db::{Connection, QueryResult};
use crate::store::second_factor::steps;
use crate::store::sessions::{self, ListedSession, Session};
use crate::store::users::{self, User};
use live::Visit;

pub mod cache;
pub mod lifetimes;
pub mod listener;
pub mod live;
pub mod opening;
pub mod recognize;
pub mod uses;

/// What a browser stores from now on.
pub struct Issued {
    pub key: SessionKey,
    /// For how long. `None` means until it is closed.
    pub keep_for: Option<Duration>,
    /// The accounts that know this browser, if they changed.
    pub devices: Option<Devices>,
}

/// A session that has just started.
pub struct Started {
    pub issued: Issued,
    pub session: Session,
    pub user: User,
}

/// Gives a session a new key, and has its user just given this proof. The old key is void.
pub async fn renew(services: &Services, visit: &Visit, proof: &Proof) -> Result<(Issued, Session)> {
    let key = SessionKey::generate()?;
    let (old, new) = (visit.live.key_hash, key.hash());
    let (methods, factors) = (proof.names(), proof.factors());
    let renewed = services
        .db
        .run(async |conn| sessions::renew(conn, &old, &new, &methods, factors).await)
        .await?;
    forget(services, &[old]);
    let session = renewed.ok_or(AuthError::NotAuthenticated)?;
    let issued = Issued {
        key,
        keep_for: visit.keep_for(),
        devices: None,
    };
    Ok((issued, session))
}

/// Ends the session of a visit, unless it has ended already. Goes by its id, because its key may have been renewed.
pub async fn end(services: &Services, visit: &Visit, client: &Client) -> Result<()> {
    let user_id = visit.user.id;
    let ended = end_one(services, user_id, visit.session().id).await?;
    forget(services, &[visit.live.key_hash]);
    if ended {
        services
            .events
            .record(Kind::LoggedOut, Some(user_id), client)
            .await;
    }
    Ok(())
}

/// Whether the session of a visit is still there, and stays until the transaction ends, unless it is ended by itself.
/// What shuts an intruder out must not race with what they ask for.
pub async fn persists(conn: &mut Connection, visit: &Visit) -> QueryResult<bool> {
    users::lock(conn, visit.user.id).await?;
    sessions::exists(conn, visit.session().id).await
}

/// The live sessions of a user, the most recently used first.
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

/// Returns whether it still existed.
async fn end_one(services: &Services, user_id: Uuid, id: Uuid) -> Result<bool> {
    let ended = services
        .db
        .run(async |conn| sessions::end_of_user(conn, user_id, id).await)
        .await?;
    forget(services, ended.as_slice());
    Ok(ended.is_some())
}

/// Ends all sessions of a user but `kept`. Returns how many.
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

/// Ends all sessions of a user, or all but `kept`, including any that start concurrently. Returns how many.
pub async fn end_all(services: &Services, user_id: Uuid, kept: Option<Uuid>) -> Result<usize> {
    let ended = services
        .db
        .transaction(async |conn| end_all_in(conn, user_id, kept).await)
        .await?;
    forget(services, &ended);
    Ok(ended.len())
}

/// The same within a transaction. Logins that are not finished end, too.
pub async fn end_all_in(
    conn: &mut Connection,
    user_id: Uuid,
    kept: Option<Uuid>,
) -> QueryResult<Vec<KeyHash>> {
    users::lock(conn, user_id).await?;
    let ended = sessions::end_all(conn, user_id, kept).await?;
    steps::end_of_user(conn, user_id).await?;
    Ok(ended)
}

/// Invalidates what is cached of a user, and all their sessions: at once on this instance and soon on all others.
pub fn forget_user(services: &Services, user_id: Uuid) {
    services.sessions.forget_user(&user_id);
    services.changes.notify_one();
}

/// Invalidates sessions that have ended, at once on this instance and soon on all others.
pub fn forget(services: &Services, key_hashes: &[KeyHash]) {
    services.changes.notify_one();
    for key_hash in key_hashes {
        services.sessions.forget_session(key_hash);
    }
}
