//! Adding a passkey to an account.

use serde_json::Value;
use webauthn_rs::prelude::Credential;

use super::ceremony::{Ceremony, Options, charge};
use super::presented::Attestation;
use super::{MAX_PER_USER, as_field, authentication, is_usable, of_user, party};
use crate::auth::error::{AuthError, Result};
use crate::auth::events::Kind;
use crate::auth::outbox::Notice;
use crate::auth::recent;
use crate::auth::second_factor::switch::{self, Scope};
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::label::Label;
use crate::domain::secret::KeyHash;
use crate::mail::browser::browser;
use crate::mail::kind::MailKind;
use crate::store::db::error::DbError;
use crate::store::db::{Connection, QueryResult};
use crate::store::passkeys::{self, NewPasskey, Passkey};

/// What somebody sent to add a passkey.
pub struct Form {
    /// As the browser wrote it.
    pub credential: Value,
    /// Else it is called like the browser that made it.
    pub name: Option<Label>,
    pub scope: Scope,
}

/// A passkey that was added and the sessions that ended for it, or the refusal.
type Added = Result<(Passkey, Vec<KeyHash>)>;

/// What a page asks the browser to make.
pub async fn begin(services: &Services, visit: &Visit, client: &Client) -> Result<Options> {
    charge(services, client).await?;
    let passkeys = of_user(services, visit.user.id).await?;
    if passkeys.len() >= MAX_PER_USER {
        return Err(AuthError::LimitReached);
    }
    let known = passkeys
        .iter()
        .filter(|passkey| is_usable(services, passkey));
    let known: Vec<_> = known.collect();
    let begun = party(services)?.begin_registration(&visit.user, &known)?;
    Ceremony::Registration(visit).keep(services, begun).await
}

/// Adds the passkey that a device made.
pub async fn finish(
    services: &Services,
    visit: &Visit,
    form: Form,
    client: &Client,
) -> Result<Passkey> {
    let judged = judge(services, visit, form.credential, client);
    let (made, credential) = authentication::charged(services, client, judged)
        .await
        .map_err(as_field)?;
    let rp_id = party(services)?.id().as_str();
    let named_after = browser(client.user_agent.as_deref()).to_string();
    let name = form.name.as_ref().map_or(&*named_after, Label::as_str);
    let new = NewPasskey {
        user_id: visit.user.id,
        credential_id: &credential.cred_id,
        public_key: serde_json::to_value(&credential.cred)
            .map_err(|error| AuthError::Internal(error.to_string()))?,
        sign_count: credential.counter.into(),
        aaguid: made.aaguid(rp_id),
        transports: made.transports(),
        backup_eligible: credential.backup_eligible,
        backed_up: credential.backup_state,
        rp_id,
        name: if name.is_empty() { "Passkey" } else { name },
    };
    let notice = Notice::prepare(services, &visit.user, client).await?;
    let added = services
        .db
        .transaction(async |conn| add(conn, visit, &new, &notice, form.scope).await);
    let (passkey, ended) = match added.await {
        Err(DbError::Constraint(name)) if name == "passkeys_credential_id_key" => {
            return Err(AuthError::PasskeyExists);
        }
        added => added??,
    };
    switch::forget(services, visit, &ended);
    let id = Some(visit.user.id);
    services.events.record(Kind::PasskeyAdded, id, client).await;
    Ok(passkey)
}

/// The credential, if the device made it for us, now and here.
async fn judge(
    services: &Services,
    visit: &Visit,
    sent: Value,
    client: &Client,
) -> Result<(Attestation, Credential)> {
    let malformed = AuthError::InvalidPasskey("malformed");
    let party = party(services)?;
    let made = Attestation::parse(sent).ok_or(malformed)?;
    let state = Ceremony::Registration(visit)
        .take(services, &made.said)
        .await?;
    match party.finish_registration(&made, state) {
        Ok(credential) => Ok((made, credential)),
        Err(why) => {
            let user_id = Some(visit.user.id);
            authentication::record_refusal(services, why, user_id, client).await;
            Err(AuthError::InvalidPasskey(why))
        }
    }
}

/// Adds it unless the session has ended meanwhile, or there are ten by now. The user's row is locked, so that no two are
/// the tenth.
async fn add(
    conn: &mut Connection,
    visit: &Visit,
    new: &NewPasskey<'_>,
    notice: &Notice,
    scope: Scope,
) -> QueryResult<Added> {
    if !recent::persists(conn, visit).await? {
        return Ok(Err(AuthError::NotAuthenticated));
    }
    let count = passkeys::count(conn, new.user_id).await?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= MAX_PER_USER {
        return Ok(Err(AuthError::LimitReached));
    }
    let passkey = passkeys::insert(conn, new).await?;
    let kind = MailKind::PasskeyAdded;
    notice.tell(conn, kind, new.user_id).await?;
    let ended = switch::settle(conn, visit, scope).await?;
    Ok(Ok((passkey, ended)))
}
