//! The accounts at providers with which a user logs in.

use serde_json::json;
use uuid::Uuid;

use super::failure::Failure;
use super::provider::Provider;
use super::tokens::Claims;
use crate::auth::error::{AuthError, Result};
use crate::auth::events::{self, Kind};
use crate::auth::outbox::Notice;
use crate::auth::recent;
use crate::auth::second_factor::switch::{self, Scope};
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::secret::KeyHash;
use crate::mail::kind::MailKind;
use crate::store::db::error::DbError;
use crate::store::db::{Connection, QueryResult};
pub use crate::store::identities::Identity;
use crate::store::identities::{self as rows, NewIdentity};
use crate::store::users::{self, Account};
use crate::store::{newcomers, ways};

pub async fn list(services: &Services, user_id: Uuid) -> Result<Vec<Identity>> {
    let db = &services.db;
    Ok(db
        .run(async |conn| rows::of_user(conn, user_id).await)
        .await?)
}

/// Whose account at the provider that is here.
pub(super) async fn holder(
    services: &Services,
    provider: &Provider,
    claims: &Claims,
) -> std::result::Result<Option<(Account, Identity)>, Failure> {
    let (issuer, subject) = (&provider.entry.issuer, &claims.subject);
    let found = services.db.run(async |conn| {
        let Some(identity) = rows::find(conn, issuer, subject).await? else {
            return Ok(None);
        };
        let account = users::find(conn, identity.user_id).await?;
        Ok(account.map(|account| (account, identity)))
    });
    Ok(found.await.map_err(AuthError::from)?)
}

/// False if it is gone. Removing it ends the sessions and steps there are; one may have begun a moment later.
pub(super) async fn note_use(
    services: &Services,
    identity: &Identity,
) -> std::result::Result<bool, Failure> {
    let id = identity.id;
    let noted = services.db.run(async |conn| rows::note_use(conn, id).await);
    Ok(noted.await.map_err(AuthError::from)?)
}

/// Makes an identity a way into the account of this visit, whatever its address.
pub(super) async fn link(
    services: &Services,
    provider: &Provider,
    visit: &Visit,
    claims: &Claims,
    client: &Client,
) -> std::result::Result<(), Failure> {
    let notice = Notice::prepare(services, &visit.user, client).await?;
    let new = NewIdentity {
        user_id: visit.user.id,
        issuer: &provider.entry.issuer,
        subject: &claims.subject,
        provider: &provider.entry.name,
        email: claims.email.as_ref().map(Email::as_str),
        address_proven: true,
    };
    let added = services
        .db
        .transaction(async |conn| add(conn, visit, &new, &notice).await);
    let is_new = match added.await {
        // Somebody else was faster.
        Err(DbError::Constraint(_)) => return Err(Failure::IdentityInUse),
        added => added.map_err(AuthError::from)??,
    };
    if is_new {
        services.mailbox.wake();
        record(services, Kind::IdentityLinked, visit, new.provider, client).await;
    }
    Ok(())
}

/// False if it was theirs before. The user's row is locked, so two at once add one.
async fn add(
    conn: &mut Connection,
    visit: &Visit,
    new: &NewIdentity<'_>,
    notice: &Notice,
) -> QueryResult<std::result::Result<bool, Failure>> {
    if !recent::persists(conn, visit).await? {
        return Ok(Err(Failure::Expired));
    }
    newcomers::forget_unproven(conn, new.issuer, new.subject).await?;
    match rows::find(conn, new.issuer, new.subject).await? {
        Some(known) if known.user_id == new.user_id => return Ok(Ok(false)),
        Some(_) => return Ok(Err(Failure::IdentityInUse)),
        None => rows::insert(conn, new).await?,
    };
    let kind = MailKind::IdentityLinked;
    notice.tell(conn, kind, new.user_id).await?;
    Ok(Ok(true))
}

/// Nobody logs in with this identity any more, and sessions elsewhere end.
pub async fn unlink(services: &Services, visit: &Visit, id: Uuid, client: &Client) -> Result<()> {
    let notice = Notice::prepare(services, &visit.user, client).await?;
    let removed = services
        .db
        .transaction(async |conn| take_away(services, conn, visit, id, &notice).await);
    let (provider, ended) = removed.await??;
    switch::forget(services, visit, &ended);
    record(services, Kind::IdentityUnlinked, visit, &provider, client).await;
    Ok(())
}

/// The user's row is locked: of two that go at the same time, the second is the last.
async fn take_away(
    services: &Services,
    conn: &mut Connection,
    visit: &Visit,
    id: Uuid,
    notice: &Notice,
) -> QueryResult<Result<(String, Vec<KeyHash>)>> {
    if !recent::persists(conn, visit).await? {
        return Ok(Err(AuthError::NotAuthenticated));
    }
    let user_id = visit.user.id;
    let all = rows::of_user(conn, user_id).await?;
    let Some(goes) = all.iter().find(|one| one.id == id) else {
        return Ok(Err(AuthError::ItemNotFound));
    };
    let ways = ways::of_user(conn, user_id, services.offer()).await?;
    let ways = ways.unwrap_or_default();
    let is_way = services.providers.of_issuer(&goes.issuer).is_some();
    if is_way && !ways.password && ways.passkeys == 0 && ways.identities.len() < 2 {
        return Ok(Err(AuthError::LastLoginMethod));
    }
    rows::remove(conn, user_id, id).await?;
    notice
        .tell(conn, MailKind::IdentityUnlinked, user_id)
        .await?;
    let ended = switch::settle(conn, visit, Scope::EndOthers).await?;
    Ok(Ok((goes.provider.clone(), ended)))
}

async fn record(services: &Services, kind: Kind, visit: &Visit, provider: &str, client: &Client) {
    let mut event = events::made(kind, Some(visit.user.id), client);
    event.details = Some(json!({ "provider": provider }));
    services.events.record_made(event).await;
}
