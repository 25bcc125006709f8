//! Deleting an account.

use uuid::Uuid;

use super::error::{AuthError, Result};
use super::limits::attempt::of_account;
use super::services::Services;
use super::session;
use super::session::live::Visit;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::store::db::{Connection, QueryResult};
use crate::store::{addresses, outbox, users};

/// Deletes the account of a visitor who repeats its name: a slip must not do it.
pub async fn delete_own(services: &Services, visit: &Visit, username: &str) -> Result<()> {
    if !username.eq_ignore_ascii_case(&visit.user.username) {
        let wrong = "This is not your username.";
        let mismatch = FieldError::new(FieldCode::Mismatch, wrong);
        return Err(FieldErrors::from(("username", mismatch)).into());
    }
    let id = visit.user.id;
    let left = services.db.transaction(async |conn| {
        let persists = session::persists(conn, visit).await?;
        if persists {
            remove(conn, id).await?;
        }
        Ok(persists)
    });
    if !left.await? {
        return Err(AuthError::NotAuthenticated);
    }
    forget(services, id).await
}

/// Deletes a user and all their data, including events. Only the log still mentions them.
pub async fn delete(services: &Services, id: Uuid) -> Result<()> {
    services
        .db
        .transaction(async |conn| remove(conn, id).await)
        .await?;
    forget(services, id).await
}

async fn remove(conn: &mut Connection, id: Uuid) -> QueryResult<()> {
    let user = addresses::lock(conn, id).await?;
    if let Some(address) = user.and_then(|user| user.email.or(user.pending_email)) {
        outbox::forget_address(conn, &address).await?;
    }
    users::delete(conn, id).await.map(drop)
}

async fn forget(services: &Services, id: Uuid) -> Result<()> {
    session::forget_user(services, id);
    services.limits.forgive(&of_account(id)).await?;
    tracing::info!(event = "deleted", user = %id);
    Ok(())
}
