//! What operators do to accounts.

use super::error::Result;
use super::events::Kind;
use super::limits::attempt::of_account;
use super::login::look_up;
use super::services::Services;
use super::{password, session};
use crate::domain::client::Client;
use crate::domain::field::FieldErrors;
use crate::store::users::{self, Account, User};

/// Finds an account by username or e-mail address.
pub async fn find(services: &Services, name: &str, client: &Client) -> Result<Option<Account>> {
    let found = look_up(services, name, client).await?;
    Ok(found.account)
}

/// All users.
pub async fn list(services: &Services) -> Result<Vec<User>> {
    Ok(services
        .db
        .run(async |conn| users::list(conn).await)
        .await?)
}

/// Sets a user's password, which ends their sessions.
pub async fn set_password(
    services: &Services,
    user: &User,
    text: &str,
    client: &Client,
) -> Result<()> {
    let context = vec![user.username.clone(), user.email.clone()];
    let chosen = password::choose(services, text, context).await?;
    let chosen = chosen.map_err(|error| FieldErrors::from(("password", error)))?;
    let hash = services.hasher.hash(chosen).await?;
    services
        .db
        .run(async |conn| users::set_password(conn, user.id, &hash).await)
        .await?;
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
    let kind = if disabled {
        Kind::Disabled
    } else {
        Kind::Enabled
    };
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
    services.limits.forgive(&of_account(user.id)).await?;
    services
        .events
        .record(Kind::Unlocked, Some(user.id), client)
        .await;
    Ok(())
}

/// Deletes a user and all their data, including events. Only the log still mentions them.
pub async fn delete(services: &Services, user: &User) -> Result<()> {
    services
        .db
        .run(async |conn| users::delete(conn, user.id).await)
        .await?;
    services.sessions.forget_user(&user.id);
    services.changes.notify_one();
    services.limits.forgive(&of_account(user.id)).await?;
    tracing::info!(event = "deleted", user = %user.id);
    Ok(())
}
