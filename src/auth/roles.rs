//! Who may do what: asking for roles, granting and revoking them.

use serde_json::json;
use uuid::Uuid;

use super::actor::Actor;
use super::error::{AuthError, Result};
use super::events::Kind;
use super::services::Services;
use super::session;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::role::{MAX_PER_USER, Role, USER, covers};
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

/// Grants a role. False if the user has it already.
pub async fn grant(
    services: &Services,
    user: &User,
    role: &Role,
    actor: Actor<'_>,
) -> Result<bool> {
    let granted = services.db.transaction(async |conn| {
        users::lock(conn, user.id).await?;
        let granted = roles::grant(conn, user.id, role, actor.id).await? > 0;
        let count = roles::count(conn, user.id).await?;
        if usize::try_from(count).is_ok_and(|count| count > MAX_PER_USER) {
            roles::revoke(conn, user.id, role).await?;
            return Ok(None);
        }
        Ok(Some(granted))
    });
    let Some(granted) = granted.await? else {
        let message = format!("A user has at most {MAX_PER_USER} roles.");
        let error = FieldError::new(FieldCode::TooLong, message);
        return Err(FieldErrors::from(("roles", error)).into());
    };
    if granted {
        note(services, Kind::RoleGranted, user.id, role, actor).await;
    }
    Ok(granted)
}

/// Revokes a role. False if the user does not have it.
pub async fn revoke(
    services: &Services,
    user: &User,
    role: &Role,
    actor: Actor<'_>,
) -> Result<bool> {
    let revoked = services
        .db
        .run(async |conn| roles::revoke(conn, user.id, role).await)
        .await?;
    if revoked > 0 {
        note(services, Kind::RoleRevoked, user.id, role, actor).await;
    }
    Ok(revoked > 0)
}

async fn note(services: &Services, kind: Kind, user_id: Uuid, role: &Role, actor: Actor<'_>) {
    session::forget_user(services, user_id);
    let details = json!({"role": role.to_string()});
    actor.record(services, kind, user_id, Some(details)).await;
}
