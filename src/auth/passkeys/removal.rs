//! Taking a passkey away.

use uuid::Uuid;

use super::is_usable;
use crate::auth::error::{AuthError, Result};
use crate::auth::events::Kind;
use crate::auth::outbox::Notice;
use crate::auth::recent;
use crate::auth::second_factor::switch::{self, Scope};
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::mail::kind::MailKind;
use crate::store::db::{Connection, QueryResult};
use crate::store::{passkeys, ways};

/// Removes a passkey of a user, unless they need it. Returns how many other sessions ended.
pub async fn remove(
    services: &Services,
    visit: &Visit,
    id: Uuid,
    scope: Scope,
    client: &Client,
) -> Result<usize> {
    let notice = Notice::prepare(services, &visit.user, client).await?;
    let removed = services.db.transaction(async |conn| {
        if let Err(refusal) = take_away(services, conn, visit, id).await? {
            return Ok(Err(refusal));
        }
        let kind = MailKind::PasskeyRemoved;
        notice.tell(conn, kind, visit.user.id).await?;
        switch::settle(conn, visit, scope).await.map(Ok)
    });
    let ended = removed.await??;
    switch::forget(services, visit, &ended);
    let user_id = Some(visit.user.id);
    services
        .events
        .record(Kind::PasskeyRemoved, user_id, client)
        .await;
    Ok(ended.len())
}

/// The user's row is locked: of two passkeys that go at the same time, the second is the last.
async fn take_away(
    services: &Services,
    conn: &mut Connection,
    visit: &Visit,
    id: Uuid,
) -> QueryResult<Result<()>> {
    if !recent::persists(conn, visit).await? {
        return Ok(Err(AuthError::NotAuthenticated));
    }
    let user_id = visit.user.id;
    let (goes, others): (Vec<_>, Vec<_>) = passkeys::of_user(conn, user_id)
        .await?
        .into_iter()
        .partition(|passkey| passkey.id == id);
    let Some(passkey) = goes.first() else {
        return Ok(Err(AuthError::ItemNotFound));
    };
    let is_last = !others.iter().any(|other| is_usable(services, other));
    if is_last && is_usable(services, passkey) {
        let ways = ways::of_user(conn, user_id, services.offer()).await?;
        let ways = ways.unwrap_or_default();
        if !ways.without_passkeys() {
            return Ok(Err(AuthError::LastLoginMethod));
        }
        if ways.second_factor_required && !ways.totp {
            return Ok(Err(AuthError::LastSecondFactor));
        }
    }
    passkeys::remove(conn, user_id, id).await?;
    Ok(Ok(()))
}
