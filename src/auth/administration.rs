//! What administrators do over HTTP. One of them always stays: nobody can remove the last.

use uuid::Uuid;

use super::actor::Actor;
use super::error::{AuthError, Result};
use super::events::Kind;
use super::limits::Charge;
use super::limits::table::ADMINISTRATION;
use super::outbox;
use super::services::Services;
use super::session::live::Visit;
use super::{admin, deletion, session};
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::role::{ADMIN, MAX_PER_USER, Role};
use crate::domain::username::Username;
use crate::mail::kind::MailKind;
use crate::store::db::{Connection, QueryResult};
use crate::store::directory;
pub use crate::store::directory::{Filter, Listed, Place};
use crate::store::{addresses, roles, sessions, users};

/// Passes for an administrator, with two factors where the operator asks for that.
pub fn require(services: &Services, visit: &Visit) -> Result<()> {
    if !visit.user.roles.iter().any(|role| role == ADMIN) {
        return Err(AuthError::Forbidden {
            needs: vec![ADMIN.to_owned()],
        });
    }
    if services.policy.admin_second_factor {
        return Err(AuthError::SecondFactorMissing);
    }
    Ok(())
}

/// Counts a request of an administrator.
pub async fn charge(services: &Services, visit: &Visit, client: &Client) -> Result<()> {
    let charge = Charge::new(ADMINISTRATION, visit.user.id);
    services.limits.take(&[charge], client).await
}

/// A page of users, and where it ends if there are more.
pub async fn search(
    services: &Services,
    filter: &Filter,
    after: Option<&Place>,
    limit: usize,
) -> Result<(Vec<Listed>, Option<Place>)> {
    let db = &services.db;
    let found = db.run(async |conn| directory::page(conn, filter, after, limit + 1).await);
    let mut found = found.await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|(_, place)| place.clone());
    let users = found.into_iter().map(|(listed, _)| listed).collect();
    Ok((users, last.filter(|_| more)))
}

pub async fn find(services: &Services, id: Uuid) -> Result<Listed> {
    let db = &services.db;
    let found = db.run(async |conn| directory::find(conn, id).await).await?;
    found.ok_or(AuthError::ItemNotFound)
}

/// Invites a user, with roles from the start.
pub async fn invite(
    services: &Services,
    username: &Username,
    email: &Email,
    granted: &[Role],
    actor: Actor<'_>,
) -> Result<Listed> {
    let user = admin::invite(services, username, email, granted, actor).await?;
    find(services, user.id).await
}

/// Gives a user exactly these roles.
pub async fn set_roles(
    services: &Services,
    id: Uuid,
    wanted: &[Role],
    actor: Actor<'_>,
) -> Result<Listed> {
    if wanted.len() > MAX_PER_USER {
        let message = format!("A user has at most {MAX_PER_USER} roles.");
        let error = FieldError::new(FieldCode::TooLong, message);
        return Err(FieldErrors::from(("roles", error)).into());
    }
    let demotes = !wanted.iter().any(|role| role.name() == ADMIN);
    let work = async |conn: &mut Connection| roles::set(conn, id, wanted, actor.id).await;
    guarded(services, id, demotes, actor, work).await?;
    session::forget_user(services, id);
    let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let details = serde_json::json!({"roles": names});
    actor
        .record(services, Kind::RolesSet, id, Some(details))
        .await;
    find(services, id).await
}

pub async fn set_disabled(
    services: &Services,
    id: Uuid,
    disabled: bool,
    actor: Actor<'_>,
) -> Result<()> {
    let work =
        async |conn: &mut Connection| users::set_disabled(conn, id, disabled).await.map(drop);
    guarded(services, id, disabled, actor, work).await?;
    session::forget_user(services, id);
    let kind = if disabled {
        Kind::Disabled
    } else {
        Kind::Enabled
    };
    actor.record(services, kind, id, None).await;
    Ok(())
}

/// Deletes a user whose name the administrator repeats.
pub async fn delete(services: &Services, id: Uuid, username: &str, actor: Actor<'_>) -> Result<()> {
    let user = find(services, id).await?.user;
    deletion::must_match(username, &user.username)?;
    let work = async |conn: &mut Connection| deletion::remove(conn, id).await;
    guarded(services, id, true, actor, work).await?;
    deletion::forget(services, id).await?;
    let details = serde_json::json!({"user_id": id});
    actor
        .record(services, Kind::Deleted, None, Some(details))
        .await;
    Ok(())
}

/// Mails a user a link to choose another password.
pub async fn reset_password(services: &Services, id: Uuid, actor: Actor<'_>) -> Result<()> {
    let db = &services.db;
    let user = db
        .run(async |conn| addresses::of_user(conn, id).await)
        .await?;
    let user = user.ok_or(AuthError::ItemNotFound)?;
    if let Some(address) = user.email.as_ref().or(user.pending_email.as_ref()) {
        let locale = user.locale.as_deref();
        let mail = outbox::to_user(MailKind::ResetPassword, id, address, locale);
        outbox::ask(services, &mail).await?;
    }
    actor
        .record(services, Kind::PasswordResetSent, id, None)
        .await;
    Ok(())
}

pub async fn sessions(services: &Services, id: Uuid) -> Result<Vec<sessions::ListedSession>> {
    find(services, id).await?;
    session::list(services, id).await
}

pub async fn end_sessions(services: &Services, id: Uuid, actor: Actor<'_>) -> Result<usize> {
    let user = find(services, id).await?.user;
    admin::revoke_sessions(services, &user, actor).await
}

/// Every role that somebody has, and how many have it.
pub async fn role_counts(services: &Services) -> Result<Vec<(String, i64)>> {
    let db = &services.db;
    Ok(db.run(async |conn| roles::counts(conn).await).await?)
}

/// Does something to a user while no other administrator can change who administers. Refuses what would remove the actor
/// or the last administrator.
async fn guarded(
    services: &Services,
    id: Uuid,
    removes: bool,
    actor: Actor<'_>,
    work: impl AsyncFnOnce(&mut Connection) -> QueryResult<()>,
) -> Result<()> {
    let done = services.db.transaction(async |conn| {
        let admins = roles::lock_administrators(conn).await?;
        if users::lock(conn, id).await?.is_none() {
            return Ok(Err(AuthError::ItemNotFound));
        }
        let refused = refusal(&admins, id, removes, actor);
        if refused.is_none() {
            work(conn).await?;
        }
        Ok(refused.map_or(Ok(()), Err))
    });
    done.await?
}

fn refusal(admins: &[Uuid], id: Uuid, removes: bool, actor: Actor<'_>) -> Option<AuthError> {
    let is_own = actor.id == Some(id);
    if actor.id.is_some_and(|actor| !admins.contains(&actor)) {
        // Somebody has just removed them.
        return Some(AuthError::Forbidden {
            needs: vec![ADMIN.to_owned()],
        });
    }
    if !removes {
        return None;
    }
    if admins == [id] {
        return Some(AuthError::LastAdmin);
    }
    is_own.then_some(AuthError::OwnAccount)
}
