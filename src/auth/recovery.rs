//! A forgotten password, and a change that was not the user's own.

use super::error::{AuthError, Result};
use super::events::Kind;
use super::limits::price::of_account;
use super::links;
use super::outbox::{self, facts_of, tell};
use super::password;
use super::second_factor::switch;
use super::services::Services;
use super::session;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::password::PasswordHash;
use crate::domain::secret::{KeyHash, MailToken};
use crate::mail::kind::MailKind;
use crate::store::addresses;
use crate::store::db::error::DbError;
use crate::store::db::{Connection, QueryResult};
use crate::store::outbox as mails;
use crate::store::tokens::{self, Purpose, Token};
use crate::store::ways::Offer;
use crate::store::{clock, identities, passkeys, users};

/// How long after a change its not-me link takes it back. The link ends sessions for longer, but whoever steals a
/// mailbox must not be able to undo an old change, or to remove an old factor.
const UNDONE_WITHIN: chrono::Duration = chrono::Duration::hours(72);

/// Asks for a link to choose a new password, in the same way for every address.
pub async fn forgot(services: &Services, email: &Email, client: &Client) -> Result<()> {
    outbox::ask_by_address(services, MailKind::ResetPassword, email, client).await
}

/// Sets a new password by a mailed link, that of an invitation too. Every session ends, and nobody is logged in.
///
/// On an account that was never verified, this is the first proof of who has the mailbox. Whatever was added before
/// goes: a stranger may have registered the address.
pub async fn reset(
    services: &Services,
    token: Option<MailToken>,
    text: &str,
    client: &Client,
) -> Result<()> {
    let purposes = [Purpose::Reset, Purpose::Invitation];
    let (token, token_hash) = links::find(services, token.as_ref(), &purposes, client).await?;
    let user = services
        .db
        .run(async |conn| users::find(conn, token.user_id).await)
        .await?;
    let user = user.ok_or(AuthError::TokenInvalid)?.user;
    let chosen = password::choose(services, text, password::context(&user)).await?;
    // The token survives a bad choice.
    let chosen = chosen.map_err(|error| FieldErrors::from(("password", error)))?;
    let hash = services.hasher.hash(chosen).await?;
    let done = services
        .db
        .transaction(async |conn| set_by_link(conn, &token, token_hash, &hash, client).await);
    if !links::unless_taken(done.await)? {
        return Err(AuthError::TokenInvalid);
    }
    services.mailbox.wake();
    session::forget_user(services, user.id);
    services.limits.forgive(&of_account(user.id)).await?;
    services
        .events
        .record(Kind::PasswordReset, Some(user.id), client)
        .await;
    Ok(())
}

/// False if the link is void.
async fn set_by_link(
    conn: &mut Connection,
    token: &Token,
    token_hash: KeyHash,
    hash: &PasswordHash,
    client: &Client,
) -> QueryResult<bool> {
    let Some(user) = links::redeem(conn, token, token_hash).await? else {
        return Ok(false);
    };
    // Whoever only clicked in a mail to verify the address was perhaps made to do so for a stranger's account.
    let unlinked = identities::remove_unproven(conn, user.id).await? > 0;
    users::set_password(conn, user.id, hash).await?;
    let mut went_without = false;
    if user.email_verified_at.is_none() {
        addresses::prove(conn, user.id, &token.email).await?;
        passkeys::remove_all(conn, user.id).await?;
        identities::remove_all(conn, user.id).await?;
        went_without = switch::go_without(conn, user.id).await?;
    }
    if token.purpose() == Some(Purpose::Reset) {
        let mut told = user;
        told.email = Some(token.email.clone());
        let facts = facts_of(client);
        tell(conn, MailKind::PasswordChanged, &told, &facts).await?;
        if unlinked {
            tell(conn, MailKind::IdentityUnlinked, &told, &facts).await?;
        }
        if went_without {
            tell(conn, MailKind::SecondFactorDisabled, &told, &facts).await?;
        }
    }
    Ok(true)
}

/// For users who learn of a change that was not theirs. Every session ends, the password is void, and a link to choose
/// another is on its way. For 72 hours, whoever has the mailbox of the notice also gets the address back, however often
/// it has changed since, and what was set up since as a second factor is gone.
pub async fn not_me(services: &Services, token: Option<MailToken>, client: &Client) -> Result<()> {
    let (token, hash) = links::find(services, token.as_ref(), &[Purpose::NotMe], client).await?;
    let shut_out = async || {
        let work =
            async |conn: &mut Connection| shut_out(conn, &token, hash, services.offer()).await;
        services.db.transaction(work).await
    };
    let done = match shut_out().await {
        // Somebody else proved the address at this moment. Now we see it.
        Err(DbError::Constraint(_)) => shut_out().await,
        done => done,
    };
    if !done? {
        return Err(AuthError::TokenInvalid);
    }
    services.mailbox.wake();
    session::forget_user(services, token.user_id);
    services
        .events
        .record(Kind::NotMe, Some(token.user_id), client)
        .await;
    Ok(())
}

async fn shut_out(
    conn: &mut Connection,
    token: &Token,
    hash: KeyHash,
    offer: Offer<'_>,
) -> QueryResult<bool> {
    let Some(user) = links::redeem(conn, token, hash).await? else {
        return Ok(false);
    };
    let now = clock::current_time(conn).await?;
    let undoes = now - token.created_at <= UNDONE_WITHIN;
    if undoes {
        switch::take_back(conn, user.id, token.created_at, offer).await?;
    }
    if undoes && user.email.as_ref() != Some(&token.email) {
        addresses::give_back(conn, user.id, &token.email).await?;
        // An intruder's mailboxes got notices too.
        mails::forget_newer(conn, user.id, token.created_at).await?;
        tokens::void_newer(conn, user.id, token.created_at).await?;
        tokens::void(conn, user.id).await?;
    }
    users::void_password(conn, user.id).await?;
    let user = addresses::of_user(conn, user.id).await?;
    // The link goes to the address that the account has now. There is none if somebody else has proven the notice's own
    // meanwhile.
    let address = user.as_ref().and_then(|user| user.email.as_deref());
    if let (Some(user), Some(address)) = (&user, address) {
        let locale = user.locale.as_deref();
        let mail = outbox::to_user(MailKind::ResetPassword, user.id, address, locale);
        mails::insert(conn, &mail).await?;
    }
    Ok(true)
}
