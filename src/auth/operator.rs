//! What operators do to accounts.

use super::error::Result;
use super::events::Kind;
use super::limits::price::{of_account, of_second_factor};
use super::login::look_up;
use super::outbox::{Facts, tell};
use super::second_factor::switch;
use super::services::Services;
use super::{account, invitation, password, session};
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::moment::Moment;
use crate::domain::username::Username;
use crate::mail::kind::MailKind;
use crate::store::addresses;
use crate::store::export::{self, Leaving};
use crate::store::users::{self, Account, User};

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
    client: &Client,
) -> Result<()> {
    services
        .db
        .run(async |conn| users::set_disabled(conn, user.id, disabled).await)
        .await?;
    let kind = Kind::disabled(disabled);
    services.events.record(kind, Some(user.id), client).await;
    Ok(())
}

/// Ends all sessions of a user; returns how many there were.
pub async fn revoke_sessions(services: &Services, user: &User, client: &Client) -> Result<usize> {
    let ended = session::end_all(services, user.id, None).await?;
    services
        .events
        .record(Kind::SessionsRevoked, Some(user.id), client)
        .await;
    Ok(ended)
}

/// Forgets the failed logins of a user, so that strangers' attempts no longer keep them out.
pub async fn unlock(services: &Services, user: &User, client: &Client) -> Result<()> {
    let all = [of_account(user.id), of_second_factor(user.id)].concat();
    services.limits.forgive(&all).await?;
    services
        .events
        .record(Kind::Unlocked, Some(user.id), client)
        .await;
    Ok(())
}

/// Turns off the second factor of a user who cannot show it any more, and ends their sessions. False if it is off.
pub async fn reset_second_factor(
    services: &Services,
    user: &User,
    client: &Client,
) -> Result<bool> {
    let ended =
        services
            .db
            .transaction(async |conn| match addresses::lock(conn, user.id).await? {
                Some(user) => switch::reset(conn, &user).await,
                None => Ok(None),
            });
    let was_on = ended.await?.is_some();
    if was_on {
        services.limits.forgive(&of_second_factor(user.id)).await?;
        let kind = Kind::SecondFactorReset;
        services.events.record(kind, Some(user.id), client).await;
    }
    Ok(was_on)
}

/// Invites a user.
pub async fn invite(
    services: &Services,
    username: &Username,
    email: &Email,
    client: &Client,
) -> Result<User> {
    let invited = services
        .db
        .transaction(async |conn| invitation::create(conn, username, email).await);
    let user = match invited.await {
        Ok(user) => user,
        Err(error) => {
            return Err(account::why_refused(services, error, username, Some(email)).await?);
        }
    };
    services.mailbox.wake();
    services
        .events
        .record(Kind::Invited, Some(user.id), client)
        .await;
    Ok(user)
}

/// The memory that the most demanding imported hash takes; 0 if nobody has one any more.
pub async fn imported_kib(services: &Services) -> Result<u32> {
    let kib = services
        .db
        .run(async |conn| users::foreign_hash_kib(conn).await)
        .await?;
    Ok(kib.and_then(|kib| u32::try_from(kib).ok()).unwrap_or(0))
}
