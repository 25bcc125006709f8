//! A forgotten password, and a change that was not the user's own.

use super::error::{AuthError, Result};
use super::events::Kind;
use super::limits::Charge;
use super::limits::attempt::of_account;
use super::limits::table::TOKEN;
use super::outbox::{self, Undo, facts_of, tell};
use super::password;
use super::services::Services;
use super::session;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::password::PasswordHash;
use crate::domain::secret::{KeyHash, MailToken};
use crate::mail::kind::MailKind;
use crate::store::addresses::{self, Addressee};
use crate::store::db::error::DbError;
use crate::store::db::{Connection, QueryResult};
use crate::store::outbox as mails;
use crate::store::tokens::{self, Purpose, Token};
use crate::store::{clock, users};

/// How long a not-me link takes a change back. It ends sessions for longer, but a stolen mailbox must not be able to
/// undo what is old.
const UNDONE_WITHIN: chrono::Duration = chrono::Duration::hours(72);

/// Asks for a link to choose a new password. The same for every address.
pub async fn forgot(services: &Services, email: &Email, client: &Client) -> Result<()> {
    if outbox::is_due(services, email, client).await? {
        let mail = outbox::to_address(MailKind::ResetPassword, email, client.locale.as_ref());
        outbox::ask(services, &mail).await?;
    }
    Ok(())
}

/// The token of a link, if it is good for one of these purposes.
pub async fn find_token(
    services: &Services,
    token: Option<&MailToken>,
    purposes: &[Purpose],
    client: &Client,
) -> Result<(Token, KeyHash)> {
    let charge = Charge::new(TOKEN, client.network());
    services.limits.take(&[charge], client).await?;
    let hash = token.ok_or(AuthError::TokenInvalid)?.hash();
    let found = services
        .db
        .run(async |conn| tokens::find(conn, hash, purposes).await)
        .await?;
    Ok((found.ok_or(AuthError::TokenInvalid)?, hash))
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
    let (token, token_hash) = find_token(services, token.as_ref(), &purposes, client).await?;
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
    if !voided_if_taken(done.await)? {
        return Err(AuthError::TokenInvalid);
    }
    services.mailbox.wake();
    services.sessions.forget_user(&user.id);
    session::forget(services, &[]);
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
    let Some(user) = redeem(conn, token, token_hash).await? else {
        return Ok(false);
    };
    users::set_password(conn, user.id, hash).await?;
    if user.email_verified_at.is_none() {
        addresses::prove(conn, user.id, &token.email).await?;
    }
    if token.purpose() == Some(Purpose::Reset) {
        let mut told = user;
        told.email = Some(token.email.clone());
        tell(conn, MailKind::PasswordChanged, &told, &facts_of(client)).await?;
    }
    Ok(true)
}

/// Uses a link up. `None` if somebody was faster, or it was sent to an address that is no longer the user's.
pub async fn redeem(
    conn: &mut Connection,
    token: &Token,
    hash: KeyHash,
) -> QueryResult<Option<Addressee>> {
    let Some(user) = addresses::lock(conn, token.user_id).await? else {
        return Ok(None);
    };
    let theirs = match token.purpose() {
        // A new address is not the user's yet, and a former one no longer.
        Some(Purpose::Change) => user.pending_email.as_ref(),
        Some(Purpose::NotMe) => Some(&token.email),
        _ => user.email.as_ref().or(user.pending_email.as_ref()),
    };
    if theirs != Some(&token.email) || !tokens::redeem(conn, token, hash).await? {
        return Ok(None);
    }
    Ok(Some(user))
}

/// Whether a link did its work. It is void if somebody else has proven the address meanwhile.
pub fn voided_if_taken(done: std::result::Result<bool, DbError>) -> Result<bool> {
    match done {
        Err(DbError::Constraint(name)) if name == "users_email_key" => Ok(false),
        done => Ok(done?),
    }
}

/// What users do who learn of a change that was not theirs: every session ends, the password is void, a link to choose
/// another is on its way, and the change is taken back if it is recent.
pub async fn not_me(services: &Services, token: Option<MailToken>, client: &Client) -> Result<()> {
    let (token, hash) = find_token(services, token.as_ref(), &[Purpose::NotMe], client).await?;
    let shut_out = async || {
        let work = async |conn: &mut Connection| shut_out(conn, &token, hash).await;
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
    services.sessions.forget_user(&token.user_id);
    session::forget(services, &[]);
    services
        .events
        .record(Kind::NotMe, Some(token.user_id), client)
        .await;
    Ok(())
}

async fn shut_out(conn: &mut Connection, token: &Token, hash: KeyHash) -> QueryResult<bool> {
    let Some(user) = redeem(conn, token, hash).await? else {
        return Ok(false);
    };
    let now = clock::current_time(conn).await?;
    if now - token.created_at <= UNDONE_WITHIN {
        take_back(conn, &user, token).await?;
    }
    users::void_password(conn, user.id).await?;
    let user = addresses::of_user(conn, user.id).await?;
    // The link goes to the address that the account has now: the notice's own, unless its change stands. There is none if
    // somebody else has proven the notice's own meanwhile.
    let address = user.as_ref().and_then(|user| user.email.as_deref());
    if let (Some(user), Some(address)) = (&user, address) {
        let locale = user.locale.as_deref();
        let mail = outbox::to_user(MailKind::ResetPassword, user.id, address, locale);
        mails::insert(conn, &mail).await?;
    }
    Ok(true)
}

/// Takes the change back that a notice told of, and what came after it: an intruder who moves on gains nothing. Their
/// mailboxes got notices too, whose links are void from now on.
async fn take_back(conn: &mut Connection, user: &Addressee, token: &Token) -> QueryResult<()> {
    let undo = token.undo.clone();
    let undo = undo.and_then(|undo| serde_json::from_value(undo).ok());
    if let Some(Undo::Email {
        from, verified_at, ..
    }) = undo
        && user.email.as_deref() != Some(&*from)
    {
        addresses::give_back(conn, user.id, &from, verified_at).await?;
        mails::forget_newer(conn, user.id, token.created_at).await?;
        tokens::void(conn, user.id).await?;
        tokens::void_newer(conn, user.id, token.created_at).await?;
    }
    Ok(())
}
