//! What asks for a recent proof of who somebody is.

use super::error::{AuthError, Result};
use super::methods::{self, for_reauthentication};
use super::services::Services;
use super::session;
use super::session::live::Visit;
use crate::store::db::{Connection, QueryResult};
use crate::store::second_factor::required;

/// Passes if the user proved recently in this session who they are, with two factors if theirs is on.
pub async fn require_recent(services: &Services, visit: &Visit) -> Result<()> {
    let max_age = services.policy.lifetimes.reauth;
    let session = visit.session();
    let recent = visit.live.now() < session.authenticated_at + max_age;
    let enough = !visit.user.second_factor_required || session.factors > 1;
    if recent && enough {
        return Ok(());
    }
    let ways = methods::of(services, visit.user.id).await?;
    Err(AuthError::ReauthenticationRequired {
        max_age,
        methods: for_reauthentication(services, &ways),
    })
}

/// Whether the session of a visit is still there and has two factors if those are asked for by now: the body of a request
/// may take a while to arrive. So it stays until the transaction ends.
pub async fn persists(conn: &mut Connection, visit: &Visit) -> QueryResult<bool> {
    Ok(session::persists(conn, visit).await? && required::is_met(conn, visit.session().id).await?)
}
