//! What operators do to accounts.

use super::actor::Actor;
use super::error::Result;
use super::events::Kind;
use super::limits::attempt::of_account;
use super::login::look_up;
use super::outbox::{self, Facts, tell};
use super::services::Services;
use super::{account, password, session};
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::moment::Moment;
use crate::domain::role::Role;
use crate::domain::username::Username;
use crate::mail::kind::MailKind;
use crate::store::export::{self, Leaving};
use crate::store::outbox as mails;
use crate::store::users::{self, Account, NewUser, User};
use crate::store::{addresses, roles};

/// Users in a page of an export: few enough for a statement, which has little time.
const EXPORTED: i64 = 1000;

/// Finds an account by username or e-mail address.
pub async fn find(services: &Services, name: &str, client: &Client) -> Result<Option<Account>> {
    let found = look_up(services, name, client).await?;
    Ok(found.account)
}

/// Users with their hashes, in the order in which they registered: the next of them after `place`. None: that was all.
pub async fn export(services: &Services, place: Option<Moment>) -> Result<Vec<Leaving>> {
    let page = services
        .db
        .run(async |conn| export::page(conn, place, EXPORTED).await);
    Ok(page.await?)
}

/// Sets a user's password, which ends their sessions.
pub async fn set_password(
    services: &Services,
    user: &User,
    text: &str,
    client: &Client,
) -> Result<()> {
    let chosen = password::choose(services, text, password::context(user)).await?;
    let chosen = chosen.map_err(|error| FieldErrors::from(("password", error)))?;
    let hash = services.hasher.hash(chosen).await?;
    services
        .db
        .transaction(async |conn| {
            let addressee = addresses::lock(conn, user.id).await?;
            users::set_password(conn, user.id, &hash).await?;
            match &addressee {
                Some(user) => tell(conn, MailKind::PasswordChanged, user, &Facts::default()).await,
                None => Ok(()),
            }
        })
        .await?;
    services.mailbox.wake();
    services.limits.forgive(&of_account(user.id)).await?;
    services
        .events
        .record(Kind::PasswordChanged, Some(user.id), client)
        .await;
    Ok(())
}

/// Disables a user, which ends their sessions, or enables them again.
pub async fn set_disabled(
    services: &Services,
    user: &User,
    disabled: bool,
    actor: Actor<'_>,
) -> Result<()> {
    services
        .db
        .run(async |conn| users::set_disabled(conn, user.id, disabled).await)
        .await?;
    let kind = if disabled {
        Kind::Disabled
    } else {
        Kind::Enabled
    };
    actor.record(services, kind, user.id, None).await;
    Ok(())
}

/// Ends all sessions of a user; returns how many there were.
pub async fn revoke_sessions(services: &Services, user: &User, actor: Actor<'_>) -> Result<usize> {
    let ended = session::end_all(services, user.id, None).await?;
    actor
        .record(services, Kind::SessionsRevoked, user.id, None)
        .await;
    Ok(ended)
}

/// Forgets the failed logins of a user, so that strangers' attempts no longer keep them out.
pub async fn unlock(services: &Services, user: &User, client: &Client) -> Result<()> {
    services.limits.forgive(&of_account(user.id)).await?;
    services
        .events
        .record(Kind::Unlocked, Some(user.id), client)
        .await;
    Ok(())
}

/// Creates a user without a password, and sends a link to choose one. An invitation that is redeemed proves the address.
pub async fn invite(
    services: &Services,
    username: &Username,
    email: &Email,
    granted: &[Role],
    actor: Actor<'_>,
) -> Result<User> {
    let new = NewUser {
        username,
        email: Some(email),
        pending_email: None,
        password_hash: None,
        locale: None,
    };
    let invited = services.db.transaction(async |conn| {
        let user = users::insert(conn, &new).await?;
        roles::set(conn, user.id, granted, actor.id).await?;
        let mail = outbox::to_user(MailKind::Invitation, user.id, email.as_str(), None);
        mails::insert(conn, &mail).await?;
        Ok(user)
    });
    let user = match invited.await {
        Ok(user) => user,
        Err(error) => {
            return Err(account::why_refused(services, error, username, Some(email)).await?);
        }
    };
    services.mailbox.wake();
    actor.record(services, Kind::Invited, user.id, None).await;
    Ok(user)
}
