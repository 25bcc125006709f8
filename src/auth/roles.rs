//! Who may do what: asking for roles, granting and revoking them.

use serde_json::json;
use uuid::Uuid;

use super::error::{AuthError, Result};
use super::events::{self, Kind};
use super::services::Services;
use super::session;
use crate::domain::client::Client;
use crate::domain::field::FieldErrors;
use crate::domain::role::{MAX_PER_USER, Role, USER, covers, too_many};
use crate::store::events::NewEvent;
use crate::store::roles;
use crate::store::users::{self, User};

/// Passes if the user has one of the roles, or if none is asked for.
pub fn require_any(user: &User, wanted: &[Role]) -> Result<()> {
    let has =
        |role: &Role| role.name() == USER || user.roles.iter().any(|granted| covers(granted, role));
    if wanted.is_empty() || wanted.iter().any(has) {
        return Ok(());
    }
    Err(AuthError::Forbidden {
        needs: wanted.iter().map(ToString::to_string).collect(),
    })
}

/// Grants a role, as an operator. False if the user has it already.
pub async fn grant(services: &Services, user: &User, role: &Role, client: &Client) -> Result<bool> {
    let granted = services.db.transaction(async |conn| {
        users::lock(conn, user.id).await?;
        let count = roles::count(conn, user.id).await?;
        let granted = roles::grant(conn, user.id, role, None).await? > 0;
        if granted && count >= i64::try_from(MAX_PER_USER).unwrap_or(i64::MAX) {
            roles::revoke(conn, user.id, role).await?;
            return Ok(None);
        }
        Ok(Some(granted))
    });
    let Some(granted) = granted.await? else {
        return Err(FieldErrors::from(("roles", too_many())).into());
    };
    if granted {
        note(services, Kind::RoleGranted, user.id, role, client).await;
    }
    Ok(granted)
}

/// Revokes a role, as an operator. False if the user does not have it.
pub async fn revoke(
    services: &Services,
    user: &User,
    role: &Role,
    client: &Client,
) -> Result<bool> {
    let revoked = services
        .db
        .run(async |conn| roles::revoke(conn, user.id, role).await)
        .await?;
    if revoked > 0 {
        note(services, Kind::RoleRevoked, user.id, role, client).await;
    }
    Ok(revoked > 0)
}

async fn note(services: &Services, kind: Kind, user_id: Uuid, role: &Role, client: &Client) {
    session::forget_user(services, user_id);
    let details = json!({"role": role.to_string()});
    let event = NewEvent {
        details: Some(details),
        ..events::made(kind, Some(user_id), client)
    };
    services.events.record_made(event).await;
}
