//! What administrators change.

use serde_json::json;
use uuid::Uuid;

use super::administrator::{Administrator, Stop};
use super::{Listed, find};
use crate::auth::error::{AuthError, Result};
use crate::auth::events::Kind;
use crate::auth::limits::price::of_second_factor;
use crate::auth::second_factor::switch;
use crate::auth::services::Services;
use crate::auth::{account, deletion, invitation, outbox, session};
use crate::domain::email::Email;
use crate::domain::role::{ADMIN, Role};
use crate::domain::username::Username;
use crate::mail::kind::MailKind;
use crate::store::db::Connection;
use crate::store::outbox as mails;
use crate::store::{addresses, roles, users};

async fn lock(conn: &mut Connection, id: Uuid) -> std::result::Result<(), Stop> {
    let locked = users::lock(conn, id).await?;
    locked.map(drop).ok_or(AuthError::ItemNotFound.into())
}

/// Invites a user, with roles from the start.
pub async fn invite(
    services: &Services,
    username: &Username,
    email: &Email,
    granted: &[Role],
    by: &Administrator,
) -> Result<Listed> {
    let invited = by.change(services, async |conn, _| {
        let user = invitation::create(conn, username, email).await?;
        roles::set(conn, user.id, granted, Some(by.id())).await?;
        let details = (!granted.is_empty()).then(|| json!({"roles": names(granted)}));
        let event = by.event(Kind::Invited, Some(user.id), details);
        Ok((user.id, event))
    });
    let id = match invited.await {
        Ok(invited) => invited?,
        Err(error) => {
            return Err(account::why_refused(services, error, username, Some(email)).await?);
        }
    };
    services.mailbox.wake();
    find(services, id).await
}

/// Gives a user exactly these roles.
pub async fn set_roles(
    services: &Services,
    id: Uuid,
    wanted: &[Role],
    by: &Administrator,
) -> Result<Listed> {
    let demotes = !wanted.iter().any(|role| role.name() == ADMIN);
    let set = by.change(services, async |conn, all| {
        lock(conn, id).await?;
        if demotes {
            by.may_remove(all, id)?;
        }
        roles::set(conn, id, wanted, Some(by.id())).await?;
        let details = json!({"roles": names(wanted)});
        Ok(((), by.event(Kind::RolesSet, Some(id), Some(details))))
    });
    set.await??;
    session::forget_user(services, id);
    find(services, id).await
}

fn names(roles: &[Role]) -> Vec<String> {
    roles.iter().map(ToString::to_string).collect()
}

/// Disables a user, which ends their sessions, or enables them again.
pub async fn set_disabled(
    services: &Services,
    id: Uuid,
    disabled: bool,
    by: &Administrator,
) -> Result<()> {
    let set = by.change(services, async |conn, all| {
        lock(conn, id).await?;
        if disabled {
            by.may_remove(all, id)?;
        }
        users::set_disabled(conn, id, disabled).await?;
        let kind = Kind::disabled(disabled);
        Ok(((), by.event(kind, Some(id), None)))
    });
    set.await??;
    session::forget_user(services, id);
    Ok(())
}

/// Deletes a user whose name the administrator repeats.
pub async fn delete(
    services: &Services,
    id: Uuid,
    username: &str,
    by: &Administrator,
) -> Result<()> {
    let deleted = by.change(services, async |conn, all| {
        let account = users::find(conn, id).await?;
        let account = account.ok_or(AuthError::ItemNotFound)?;
        deletion::must_match(username, &account.user.username)?;
        by.may_remove(all, id)?;
        deletion::remove(conn, id).await?;
        let details = json!({"user_id": id});
        Ok(((), by.event(Kind::Deleted, None, Some(details))))
    });
    deleted.await??;
    deletion::forget(services, id).await
}

/// Mails a user a link to choose another password. False for somebody who gets no such mail: a disabled user, or one
/// without an address.
pub async fn reset_password(services: &Services, id: Uuid, by: &Administrator) -> Result<bool> {
    let asked = by.change(services, async |conn, _| {
        let user = addresses::lock(conn, id).await?;
        let user = user.ok_or(AuthError::ItemNotFound)?;
        let address = user.email.as_ref().or(user.pending_email.as_ref());
        let Some(address) = address.filter(|_| user.disabled_at.is_none()) else {
            return Ok((false, None));
        };
        let locale = user.locale.as_deref();
        let mail = outbox::to_user(MailKind::ResetPassword, id, address, locale);
        mails::insert(conn, &mail).await?;
        let event = by.event(Kind::PasswordResetSent, Some(id), None);
        Ok((true, event))
    });
    let asked = asked.await??;
    services.mailbox.wake();
    Ok(asked)
}

/// Ends all sessions of a user. Returns how many there were.
pub async fn end_sessions(services: &Services, id: Uuid, by: &Administrator) -> Result<usize> {
    let ended = by.change(services, async |conn, _| {
        lock(conn, id).await?;
        let ended = session::end_all_in(conn, id, None).await?;
        Ok((ended, by.event(Kind::SessionsRevoked, Some(id), None)))
    });
    let ended = ended.await??;
    session::forget(services, &ended);
    Ok(ended.len())
}

/// Turns off the second factor of a user who cannot show it any more, and ends their sessions. Nothing happens if it is off.
pub async fn reset_second_factor(services: &Services, id: Uuid, by: &Administrator) -> Result<()> {
    let reset = by.change(services, async |conn, _| {
        let user = addresses::lock(conn, id).await?;
        let user = user.ok_or(AuthError::ItemNotFound)?;
        let ended = switch::reset(conn, &user).await?;
        let kind = Kind::SecondFactorReset;
        let event = ended.as_ref().and_then(|_| by.event(kind, Some(id), None));
        Ok((ended, event))
    });
    let Some(ended) = reset.await?? else {
        return Ok(());
    };
    // Wrong codes for what is gone must not keep them out.
    services.limits.forgive(&of_second_factor(id)).await?;
    services.mailbox.wake();
    session::forget(services, &ended);
    session::forget_user(services, id);
    Ok(())
}
