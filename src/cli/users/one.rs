//! What is done to one user.

use anyhow::{Context, anyhow};
use clap::Args;

use super::shown::{address, done_to, shown};
use crate::auth::error::AuthError;
use crate::auth::services::Services;
use crate::auth::{account, deletion, operator, roles};
use crate::cli::done::Done;
use crate::cli::prompt;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::role::Role;
use crate::domain::username::Username;
use crate::store::users::User;

#[derive(Args)]
pub struct Name {
    /// Username or e-mail address
    name: String,
}

pub async fn find(services: &Services, Name { name }: &Name) -> anyhow::Result<User> {
    let found = operator::find(services, name, &shell()).await;
    let account = found.map_err(explain)?;
    Ok(account.with_context(|| format!("no user {name}"))?.user)
}

pub async fn add(services: &Services, username: &str, email: &str) -> anyhow::Result<Done> {
    let form = account::Registration::of(username, email, prompt::password()?);
    let user = account::register(services, form, &shell()).await;
    Ok(shown(&user.map_err(explain)?))
}

pub async fn set_disabled(
    services: &Services,
    name: &Name,
    disabled: bool,
) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let done = operator::set_disabled(services, &user, disabled, &shell()).await;
    done.map_err(explain)?;
    let text = match disabled {
        true => "Disabled. All sessions have ended.",
        false => "Enabled.",
    };
    Ok(done_to(&user, text))
}

pub async fn change_role(
    services: &Services,
    name: &Name,
    role: &str,
    granted: bool,
) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let role = Role::to_grant(role).map_err(|error| anyhow!("role: {}", error.message))?;
    let changed = match granted {
        true => roles::grant(services, &user, &role, &shell()).await,
        false => roles::revoke(services, &user, &role, &shell()).await,
    };
    let changed = changed.map_err(explain)?;
    let text = match (granted, changed) {
        (true, true) => format!("{} has the role {role} now.", user.username),
        (true, false) => format!("{} had the role {role} already.", user.username),
        (false, true) => format!("{} has the role {role} no longer.", user.username),
        (false, false) => format!("{} did not have the role {role}.", user.username),
    };
    Ok(done_to(&user, text)
        .with("role", role.to_string())
        .with("changed", changed))
}

pub async fn invite(services: &Services, username: &str, email: &str) -> anyhow::Result<Done> {
    let mut errors = FieldErrors::default();
    let username = errors.take("username", Username::parse(username));
    let email = errors.take("email", Email::parse(email));
    let (Some(username), Some(email)) = (username, email) else {
        return Err(explain(errors.into()));
    };
    let user = operator::invite(services, &username, &email, &shell()).await;
    let user = user.map_err(explain)?;
    let text = format!(
        "Invited {}. The server mails the link, which works for 72 hours.",
        user.username
    );
    Ok(done_to(&user, text))
}

pub async fn delete(services: &Services, name: &Name, yes: bool) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let (username, email) = (&user.username, address(&user));
    if !yes {
        let question = format!("Delete {username} ({email}) with all sessions and events?");
        prompt::confirm(&question)?;
    }
    let deleted = deletion::delete(services, user.id).await;
    deleted.map_err(explain)?;
    Ok(done_to(&user, format!("{username} is deleted.")))
}

/// The client that appears in the events.
pub fn shell() -> Client {
    Client::at_shell("latchkey users")
}

/// Prints each field error on its own line. Other errors explain themselves.
pub fn explain(error: AuthError) -> anyhow::Error {
    match error {
        AuthError::Invalid(errors) => anyhow!("not accepted:\n{errors}"),
        other => other.into(),
    }
}

pub async fn set_password(services: &Services, name: &Name) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let password = prompt::password()?;
    let done = operator::set_password(services, &user, &password, &shell()).await;
    done.map_err(explain)?;
    let text = "The password is set, and all sessions have ended.";
    Ok(done_to(&user, text))
}

pub async fn revoke_sessions(services: &Services, name: &Name) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let ended = operator::revoke_sessions(services, &user, &shell()).await;
    let ended = ended.map_err(explain)?;
    let text = format!("Sessions ended: {ended}.");
    Ok(done_to(&user, text).with("sessions_ended", ended))
}

pub async fn unlock(services: &Services, name: &Name) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let done = operator::unlock(services, &user, &shell()).await;
    done.map_err(explain)?;
    let text = "Unlocked. Failed logins count from zero again.";
    Ok(done_to(&user, text))
}

pub async fn reset_second_factor(services: &Services, name: &Name) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let done = operator::reset_second_factor(services, &user, &shell()).await;
    let was_on = done.map_err(explain)?;
    let text = match was_on {
        true => "The second factor is off, and all sessions have ended. Passkeys stay.",
        false => "The second factor was off already.",
    };
    Ok(done_to(&user, text).with("changed", was_on))
}
