//! Recognises who sends a session key.

use std::sync::Arc;

use super::live::{LiveSession, Visit};
use crate::auth::error::Result;
use crate::auth::services::Services;
use crate::domain::secret::KeyHash;
use crate::store::db::error::DbError;
use crate::store::sessions;

/// Looks in the cache, then in the database.
pub async fn recognize(services: &Services, key_hash: KeyHash) -> Result<Option<Visit>> {
    let recalled = recall(services, &key_hash);
    services.metrics.cache_lookup(recalled.is_some());
    match recalled {
        Some(visit) => Ok(Some(visit)),
        // Boxed, because a future with a query in it is large and most requests need none.
        None => Box::pin(read(services, key_hash)).await,
    }
}

async fn read(services: &Services, key_hash: KeyHash) -> Result<Option<Visit>> {
    let ticket = services.sessions.ticket();
    let found = services
        .db
        .read(async |conn| sessions::find(conn, &key_hash).await)
        .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let visit = Visit {
        live: Arc::new(LiveSession::new(found.session, key_hash, found.now)),
        user: Arc::new(found.user),
    };
    if visit.live.is_over(&services.policy.lifetimes) {
        // A session that has expired once stays expired, even if the database's clock goes back. Where nothing can be
        // written, the purge ends it later.
        let ended = services
            .db
            .run(async |conn| sessions::end_unused(conn, visit.session()).await);
        return match ended.await {
            Ok(_) | Err(DbError::Unavailable(_)) => Ok(None),
            Err(error) => Err(error.into()),
        };
    }
    if visit.user.disabled_at.is_some() {
        return Ok(None);
    }
    // A standby may not know yet that the session has ended.
    if !found.is_in_recovery {
        services.sessions.keep(ticket, &visit);
    }
    note_use(services, &visit);
    Ok(Some(visit))
}

/// Looks in the cache. `None` means that the database must be asked.
fn recall(services: &Services, key_hash: &KeyHash) -> Option<Visit> {
    let visit = services.sessions.get(key_hash)?;
    if visit.live.is_over(&services.policy.lifetimes) {
        return None;
    }
    note_use(services, &visit);
    Some(visit)
}

fn note_use(services: &Services, visit: &Visit) {
    if visit
        .live
        .use_is_due(services.policy.lifetimes.touch_interval())
    {
        let now = std::time::Instant::now();
        services.used_sessions.note(visit.session().id, now);
    }
}
