//! Deleting an account.

use uuid::Uuid;

use super::error::{AuthError, Result};
use super::limits::price::{of_account, of_second_factor};
use super::recent;
use super::services::Services;
use super::session;
use super::session::live::Visit;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::store::db::{Connection, QueryResult};
use crate::store::{addresses, outbox, roles, users};

/// Deletes the account of a visitor who repeats its name: a slip must not do it.
pub async fn delete_own(services: &Services, visit: &Visit, username: &str) -> Result<()> {
    must_match(username, &visit.user.username)?;
    let id = visit.user.id;
    let deleted = services.db.transaction(async |conn| {
        let admins = roles::lock_administrators(conn).await?;
        if !recent::persists(conn, visit).await? {
            return Ok(Err(AuthError::NotAuthenticated));
        }
        if admins.has_last(id) {
            return Ok(Err(AuthError::LastAdmin));
        }
        remove(conn, id).await?;
        Ok(Ok(()))
    });
    deleted.await??;
    tracing::info!(event = "deleted", user = %id);
    forget(services, id).await
}

pub fn must_match(repeated: &str, username: &str) -> Result<()> {
    if repeated.eq_ignore_ascii_case(username) {
        return Ok(());
    }
    let wrong = "This is not the username of the account.";
    let mismatch = FieldError::new(FieldCode::Mismatch, wrong);
    Err(FieldErrors::from(("username", mismatch)).into())
}

/// Deletes a user and all their data, including events. Only the log still mentions them.
pub async fn delete(services: &Services, id: Uuid) -> Result<()> {
    services
        .db
        .transaction(async |conn| remove(conn, id).await)
        .await?;
    tracing::info!(event = "deleted", user = %id);
    forget(services, id).await
}

pub async fn remove(conn: &mut Connection, id: Uuid) -> QueryResult<()> {
    let user = addresses::lock(conn, id).await?;
    if let Some(address) = user.and_then(|user| user.email.or(user.pending_email)) {
        outbox::forget_address(conn, &address).await?;
    }
    users::delete(conn, id).await.map(drop)
}

/// What is left of a deleted user outside of the tables about users.
pub async fn forget(services: &Services, id: Uuid) -> Result<()> {
    session::forget_user(services, id);
    let all = [of_account(id), of_second_factor(id)].concat();
    services.limits.forgive(&all).await
}
