//! Proving an address, and moving to another one.

use super::error::{AuthError, Result};
use super::events::Kind;
use super::limits::attempt::Attempt;
use super::links;
use super::oidc::identities;
use super::outbox::{self, tell};
use super::password;
use super::recent;
use super::services::Services;
use super::session;
use super::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::password::PlainPassword;
use crate::domain::secret::{KeyHash, MailToken};
use crate::mail::kind::MailKind;
use crate::store::db::{Connection, QueryResult};
use crate::store::outbox::{self as mails, NewMail};
use crate::store::tokens::{self, Purpose, Token};
use crate::store::{addresses, users};

/// Proves an address by a mailed link. It only proves it: nobody is logged in, and nothing else changes.
///
/// Where addresses must be proven, somebody who is not logged in also enters the password. Otherwise the owner of a
/// mailbox could be made to prove it for a stranger's account.
pub async fn verify(
    services: &Services,
    token: Option<MailToken>,
    password: Option<PlainPassword>,
    visit: Option<&Visit>,
    client: &Client,
) -> Result<()> {
    let (token, hash) = links::find(services, token.as_ref(), &[Purpose::Verify], client).await?;
    let is_theirs = visit.is_some_and(|visit| visit.user.id == token.user_id);
    if services.policy.require_verified_email && !is_theirs {
        prove_owner(services, &token, password, client).await?;
    }
    let done = services.db.transaction(async |conn| {
        let user = links::redeem(conn, &token, hash).await?;
        if let Some(user) = &user {
            addresses::prove(conn, user.id, &token.email).await?;
        }
        Ok(user.is_some())
    });
    if !links::unless_taken(done.await)? {
        return Err(AuthError::TokenInvalid);
    }
    session::forget_user(services, token.user_id);
    services
        .events
        .record(Kind::EmailVerified, Some(token.user_id), client)
        .await;
    Ok(())
}

async fn prove_owner(
    services: &Services,
    token: &Token,
    password: Option<PlainPassword>,
    client: &Client,
) -> Result<()> {
    let id = token.user_id;
    let account = services
        .db
        .run(async |conn| users::find(conn, id).await)
        .await?;
    let account = account.ok_or(AuthError::TokenInvalid)?;
    // Who came by a provider has no password to enter, and logs in there.
    let has_none = account.password_hash.is_none() && account.user.email.is_none();
    if has_none && !identities::list(services, id).await?.is_empty() {
        return Ok(());
    }
    let password = password.ok_or_else(|| refused(FieldError::required()))?;
    let attempt = Attempt::begin_proof(services, id, token.id, client).await?;
    let stored = account.password_hash.as_ref();
    if password::check(services, attempt, password, stored)
        .await?
        .right
    {
        return Ok(());
    }
    services
        .events
        .record(Kind::ReauthenticationFailed, Some(id), client)
        .await;
    let wrong = "This is not the password of the account.";
    Err(refused(FieldError::new(FieldCode::Incorrect, wrong)))
}

fn refused(error: FieldError) -> AuthError {
    FieldErrors::from(("password", error)).into()
}

/// Asks for the verification mail again, in the same way for every address.
pub async fn resend(services: &Services, email: &Email, client: &Client) -> Result<()> {
    outbox::ask_by_address(services, MailKind::VerifyEmail, email, client).await
}

/// Asks for it again for somebody who is logged in. Nothing happens if that is over meanwhile.
pub async fn resend_own(services: &Services, visit: &Visit, client: &Client) -> Result<()> {
    let id = visit.user.id;
    let user = services
        .db
        .run(async |conn| addresses::of_user(conn, id).await)
        .await?;
    let Some(user) = user else {
        return Ok(());
    };
    let address = user.email.or(user.pending_email);
    let Some(Ok(email)) = address.as_deref().map(Email::parse) else {
        return Ok(());
    };
    if outbox::is_due(services, &email, client).await? {
        let locale = user.locale.as_deref();
        let mail = outbox::to_user(MailKind::VerifyEmail, id, email.as_str(), locale);
        ask_in_session(services, visit, &mail, None).await?;
    }
    Ok(())
}

/// Asks for another address. Until it is proven, the old one stays in use.
pub async fn ask_for(
    services: &Services,
    visit: &Visit,
    email: &Email,
    client: &Client,
) -> Result<()> {
    if !outbox::is_due(services, email, client).await? {
        return Ok(());
    }
    let id = visit.user.id;
    let locale = client.locale.as_ref().map(|locale| locale.as_str());
    let mail = outbox::to_user(MailKind::ChangeEmail, id, email.as_str(), locale);
    if !ask_in_session(services, visit, &mail, Some(email)).await? {
        return Err(AuthError::NotAuthenticated);
    }
    services
        .events
        .record(Kind::EmailChangeRequested, Some(id), client)
        .await;
    Ok(())
}

/// Puts a mail into the outbox, and notes the address that it asks for. False if the session has ended meanwhile.
async fn ask_in_session(
    services: &Services,
    visit: &Visit,
    mail: &NewMail<'_>,
    wanted: Option<&Email>,
) -> Result<bool> {
    let asked = services.db.transaction(async |conn| {
        let persists = match wanted {
            Some(_) => recent::persists(conn, visit).await?,
            None => session::persists(conn, visit).await?,
        };
        if !persists {
            return Ok(false);
        }
        if let Some(email) = wanted {
            addresses::ask_for(conn, visit.user.id, email).await?;
        }
        mails::insert(conn, mail).await?;
        Ok(true)
    });
    let asked = asked.await?;
    services.mailbox.wake();
    Ok(asked)
}

/// Moves the account to the address that the link was sent to, and tells the former one.
pub async fn confirm(services: &Services, token: Option<MailToken>, client: &Client) -> Result<()> {
    let (token, hash) = links::find(services, token.as_ref(), &[Purpose::Change], client).await?;
    let done = services
        .db
        .transaction(async |conn| move_to(conn, &token, hash, client).await);
    if !links::unless_taken(done.await)? {
        return Err(AuthError::TokenInvalid);
    }
    services.mailbox.wake();
    session::forget_user(services, token.user_id);
    services
        .events
        .record(Kind::EmailChanged, Some(token.user_id), client)
        .await;
    Ok(())
}

async fn move_to(
    conn: &mut Connection,
    token: &Token,
    hash: KeyHash,
    client: &Client,
) -> QueryResult<bool> {
    let Some(user) = links::redeem(conn, token, hash).await? else {
        return Ok(false);
    };
    addresses::prove(conn, user.id, &token.email).await?;
    tokens::void(conn, user.id).await?;
    tell(
        conn,
        MailKind::EmailChanged,
        &user,
        &outbox::facts_of(client),
    )
    .await?;
    Ok(true)
}
