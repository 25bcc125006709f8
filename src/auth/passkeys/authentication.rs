//! Proving who somebody is with a passkey.

use serde_json::{Value, json};
use uuid::Uuid;

use super::ceremony::{Ceremony, Options, charge};
use super::presented::Assertion;
use super::relying_party::{COUNTED_BACK, Refused};
use super::{is_usable, of_user, party};
use crate::auth::error::{AuthError, Result};
use crate::auth::events::{self, Kind};
use crate::auth::limits::Charge;
use crate::auth::limits::table::{PASSKEY, PASSKEY_COPIED};
use crate::auth::outbox;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::mail::kind::MailKind;
use crate::store::passkeys::{self, Passkey};
use crate::store::users::{self, Account};

/// Nobody has the passkey, or no longer.
const UNKNOWN: Refused = "unknown";

/// Somebody who has just signed with a passkey.
pub struct Proven {
    pub account: Account,
    pub passkey: Passkey,
}

/// What a page asks the browser to have signed. For a login the same for everybody: nobody is named, and no passkey.
pub async fn begin(
    services: &Services,
    ceremony: Ceremony<'_>,
    client: &Client,
) -> Result<Options> {
    charge(services, client).await?;
    let theirs = match ceremony.user_id() {
        Some(user_id) => of_user(services, user_id).await?,
        None => Vec::new(),
    };
    let offered = theirs.iter().filter(|passkey| is_usable(services, passkey));
    let offered: Vec<_> = offered.collect();
    let begun = party(services)?.begin_authentication(&offered)?;
    ceremony.keep(services, begun).await
}

/// Finds out who signed, and that they did so now, here and for this.
pub async fn prove(
    services: &Services,
    ceremony: Ceremony<'_>,
    sent: Value,
    client: &Client,
) -> Result<Proven> {
    charged(services, client, judge(services, ceremony, sent, client)).await
}

/// Charges a failure before the work, and gives it back after a success.
pub(super) async fn charged<T>(
    services: &Services,
    client: &Client,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let charge = [Charge::new(PASSKEY, client.network())];
    services.limits.take(&charge, client).await?;
    let done = work.await;
    let has_failed = matches!(
        done,
        Err(AuthError::InvalidPasskey(_) | AuthError::UnknownPasskey | AuthError::ChallengeExpired)
    );
    if !has_failed {
        services.limits.settle(&charge, &[]).await?;
    }
    done
}

async fn judge(
    services: &Services,
    ceremony: Ceremony<'_>,
    sent: Value,
    client: &Client,
) -> Result<Proven> {
    party(services)?;
    let malformed = AuthError::InvalidPasskey("malformed");
    let assertion = Assertion::parse(sent).ok_or(malformed)?;
    let state = ceremony.take(services, &assertion.said).await?;
    let credential_id = assertion.credential.get_credential_id();
    let found = services
        .db
        .run(async |conn| passkeys::find(conn, credential_id).await);
    let Some(passkey) = found.await? else {
        record_refusal(services, UNKNOWN, ceremony.user_id(), client).await;
        return Err(refusal(ceremony, UNKNOWN));
    };
    match signed(services, ceremony, &assertion, state, &passkey).await? {
        Ok(account) => Ok(Proven { account, passkey }),
        Err(why) => {
            let user_id = ceremony.user_id().unwrap_or(passkey.user_id);
            record_refusal(services, why, Some(user_id), client).await;
            if why == COUNTED_BACK {
                warn_of_copy(services, passkey.user_id, client).await;
            }
            Err(refusal(ceremony, why))
        }
    }
}

/// Only a login tells that nobody has a passkey: the browser then forgets it.
fn refusal(ceremony: Ceremony<'_>, why: Refused) -> AuthError {
    match ceremony {
        Ceremony::Login if why == UNKNOWN => AuthError::UnknownPasskey,
        _ => AuthError::InvalidPasskey(why),
    }
}

/// Checks what a device signed, and records the use. Returns the account, or why it proves nothing.
async fn signed(
    services: &Services,
    ceremony: Ceremony<'_>,
    assertion: &Assertion,
    state: Value,
    passkey: &Passkey,
) -> Result<std::result::Result<Account, Refused>> {
    if ceremony.user_id().is_some_and(|id| id != passkey.user_id) {
        return Ok(Err("owner"));
    }
    let is_theirs = match assertion.user_handle() {
        Some(handle) => handle == passkey.user_id.as_bytes(),
        // Devices need not say it where the user is known (WebAuthn 7.2 step 6).
        None => ceremony.user_id().is_some(),
    };
    if !is_theirs {
        return Ok(Err("user_handle"));
    }
    let signed = match party(services)?.finish_authentication(assertion, state, passkey) {
        Ok(signed) => signed,
        Err(why) => return Ok(Err(why)),
    };
    let (id, count) = (passkey.id, signed.sign_count.into());
    let noted = services.db.transaction(async |conn| {
        let is_noted = passkeys::note_use(conn, id, count, signed.backed_up).await?;
        let is_there = is_noted || passkeys::exists(conn, id).await?;
        let account = users::find(conn, passkey.user_id).await?;
        Ok((is_noted, account.filter(|_| is_there)))
    });
    let (is_noted, account) = noted.await?;
    let Some(account) = account else {
        return Ok(Err(UNKNOWN));
    };
    // A copy may have signed at the same time.
    Ok(if is_noted {
        Ok(account)
    } else {
        Err(COUNTED_BACK)
    })
}

pub(super) async fn record_refusal(
    services: &Services,
    why: Refused,
    user_id: Option<Uuid>,
    client: &Client,
) {
    let mut event = events::made(Kind::PasskeyRefused, user_id, client);
    event.details = Some(json!({ "reason": why }));
    services.events.record_made(event).await;
}

/// Tells users that somebody may have a copy of their passkey, once a day.
async fn warn_of_copy(services: &Services, user_id: Uuid, client: &Client) {
    let told = async {
        let a_day = Charge::new(PASSKEY_COPIED, user_id);
        services.limits.take(&[a_day], client).await?;
        let facts = outbox::facts_of(client);
        outbox::tell_by_id(services, MailKind::PasskeyCopied, user_id, &facts).await?;
        services.mailbox.wake();
        Ok::<(), AuthError>(())
    };
    match told.await {
        Ok(()) | Err(AuthError::RateLimited(_)) => {}
        Err(error) => tracing::warn!(%error, "cannot tell a user of a copied passkey"),
    }
}
