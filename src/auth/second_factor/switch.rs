//! Turning the second factor on and off, and what that does to the user's logins.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::recovery::NewCodes;
use crate::auth::error::{AuthError, Result};
use crate::auth::events::Kind;
use crate::auth::methods;
use crate::auth::outbox::{Facts, Notice, tell};
use crate::auth::recent;
use crate::auth::services::Services;
use crate::auth::session;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::proof::Method;
use crate::domain::secret::KeyHash;
use crate::mail::kind::MailKind;
use crate::store::addresses::Addressee;
use crate::store::db::{Connection, QueryResult};
use crate::store::second_factor::{recovery_codes, required, steps, totp, trusted_devices};
use crate::store::ways::Offer;
use crate::store::{identities, passkeys, ways};

/// Whether a change of factors ends the user's other sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    EndOthers,
    KeepOthers,
}

/// The second factor is on, without an authenticator app.
pub struct TurnedOn {
    /// To be shown once.
    pub recovery_codes: Vec<String>,
    pub revoked: usize,
}

/// A factor is gone.
pub struct Removed {
    pub revoked: usize,
    /// Whether logins still take two factors.
    pub second_factor_required: bool,
}

/// Turns the second factor on for somebody who has passkeys.
pub async fn turn_on(
    services: &Services,
    visit: &Visit,
    scope: Scope,
    client: &Client,
) -> Result<TurnedOn> {
    let user_id = visit.user.id;
    let ways = methods::of(services, user_id).await?;
    if ways.second_factor_required {
        return Err(AuthError::AlreadyEnabled);
    }
    if ways.passkeys == 0 {
        return Err(AuthError::NoSecondFactor);
    }
    let codes = NewCodes::generate(services).await?;
    let notice = Notice::prepare(services, &visit.user, client).await?;
    let ended = services.db.transaction(async |conn| {
        if !recent::persists(conn, visit).await? {
            return Ok(Err(AuthError::NotAuthenticated));
        }
        let ways = ways::of_user(conn, user_id, services.offer())
            .await?
            .unwrap_or_default();
        if ways.passkeys == 0 {
            return Ok(Err(AuthError::NoSecondFactor));
        }
        if !required::set(conn, user_id, true).await? {
            return Ok(Err(AuthError::AlreadyEnabled));
        }
        codes.give(conn, user_id).await?;
        let kind = MailKind::SecondFactorEnabled;
        notice.tell(conn, kind, user_id).await?;
        settle(conn, visit, scope).await.map(Ok)
    });
    let ended = ended.await??;
    forget(services, visit, &ended);
    let kind = Kind::SecondFactorEnabled;
    services.events.record(kind, Some(user_id), client).await;
    Ok(TurnedOn {
        recovery_codes: codes.texts(),
        revoked: ended.len(),
    })
}

/// Turns the second factor off. Passkeys stay, as a way to log in.
pub async fn turn_off(
    services: &Services,
    visit: &Visit,
    scope: Scope,
    client: &Client,
) -> Result<Removed> {
    let removed = remove(services, visit, scope, What::Everything, client).await?;
    let kind = Kind::SecondFactorDisabled;
    let user_id = Some(visit.user.id);
    services.events.record(kind, user_id, client).await;
    Ok(removed)
}

/// Removes the authenticator app. Without a passkey that could take its place, the second factor is off.
pub async fn remove_totp(
    services: &Services,
    visit: &Visit,
    scope: Scope,
    client: &Client,
) -> Result<Removed> {
    let removed = remove(services, visit, scope, What::Totp, client).await?;
    let kind = Kind::TotpDisabled;
    let user_id = Some(visit.user.id);
    services.events.record(kind, user_id, client).await;
    Ok(removed)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Totp,
    Everything,
}

async fn remove(
    services: &Services,
    visit: &Visit,
    scope: Scope,
    what: What,
    client: &Client,
) -> Result<Removed> {
    let user_id = visit.user.id;
    let notice = Notice::prepare(services, &visit.user, client).await?;
    let removed = services.db.transaction(async |conn| {
        if !recent::persists(conn, visit).await? {
            return Ok(Err(AuthError::NotAuthenticated));
        }
        let ways = ways::of_user(conn, user_id, services.offer())
            .await?
            .unwrap_or_default();
        let has = match what {
            What::Totp => ways.totp,
            What::Everything => ways.second_factor_required,
        };
        if !has {
            return Ok(Err(AuthError::NoSecondFactor));
        }
        totp::remove(conn, user_id).await?;
        let stays = what == What::Totp && ways.passkeys > 0;
        let kind = if stays {
            MailKind::TotpDisabled
        } else {
            go_without(conn, user_id).await?;
            MailKind::SecondFactorDisabled
        };
        notice.tell(conn, kind, user_id).await?;
        let ended = settle(conn, visit, scope).await?;
        Ok(Ok((ended, stays)))
    });
    let (ended, second_factor_required) = removed.await??;
    forget(services, visit, &ended);
    Ok(Removed {
        revoked: ended.len(),
        second_factor_required,
    })
}

/// From now on one factor is enough. Within a transaction that holds the user. False if it was before.
pub async fn go_without(conn: &mut Connection, user_id: Uuid) -> QueryResult<bool> {
    totp::remove(conn, user_id).await?;
    recovery_codes::remove(conn, user_id).await?;
    required::drop_factor(conn, user_id, Method::Passkey.name()).await?;
    required::set(conn, user_id, false).await
}

/// For a user who cannot show the second factor any more: turns it off, ends all sessions, and tells the user. `None` if it
/// is off. Within a transaction that holds the user.
pub async fn reset(conn: &mut Connection, user: &Addressee) -> QueryResult<Option<Vec<KeyHash>>> {
    if !go_without(conn, user.id).await? {
        return Ok(None);
    }
    trusted_devices::remove_all(conn, user.id).await?;
    let kind = MailKind::SecondFactorReset;
    tell(conn, kind, user, &Facts::default()).await?;
    session::end_all_in(conn, user.id, None).await.map(Some)
}

/// Takes back what was set up at this time or later, by somebody who was not the user: passkeys, accounts at providers,
/// an authenticator app and recovery codes. The time is that of a notice, which is written in the same transaction as what it tells of.
/// Within a transaction that holds the user.
pub async fn take_back(
    conn: &mut Connection,
    user_id: Uuid,
    since: DateTime<Utc>,
    offer: Offer<'_>,
) -> QueryResult<()> {
    let removed = passkeys::remove_since(conn, user_id, since).await?
        + totp::remove_since(conn, user_id, since).await?
        + recovery_codes::remove_since(conn, user_id, since).await?;
    identities::remove_since(conn, user_id, since).await?;
    let ways = ways::of_user(conn, user_id, offer)
        .await?
        .unwrap_or_default();
    // Nobody must be left with a second factor that they cannot show; nor may a stolen mailbox strip an older one.
    if removed > 0 && methods::second_factors(&ways).is_empty() {
        go_without(conn, user_id).await?;
    }
    Ok(())
}

/// Ends what rests on the factors of before: the trust in browsers, unfinished logins and, if wanted, other sessions.
pub async fn settle(
    conn: &mut Connection,
    visit: &Visit,
    scope: Scope,
) -> QueryResult<Vec<KeyHash>> {
    let user_id = visit.user.id;
    trusted_devices::remove_all(conn, user_id).await?;
    match scope {
        Scope::EndOthers => session::end_all_in(conn, user_id, Some(visit.session().id)).await,
        Scope::KeepOthers => {
            steps::end_of_user(conn, user_id).await?;
            Ok(Vec::new())
        }
    }
}

/// Has every instance read the user and the sessions again, and the notice leave.
pub fn forget(services: &Services, visit: &Visit, ended: &[KeyHash]) {
    services.mailbox.wake();
    session::forget(services, ended);
    // Its factors have changed, and another session may have the user read again first.
    session::forget(services, &[visit.live.key_hash]);
    session::forget_user(services, visit.user.id);
}
