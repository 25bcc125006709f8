//! What administrators do over HTTP: who passes, and what they see.

use uuid::Uuid;

use super::error::{AuthError, Result};
use super::limits::Charge;
use super::limits::table::ADMINISTRATION;
use super::services::Services;
use super::session;
use super::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::role::ADMIN;
use crate::store::directory::{self, Page};
pub use crate::store::directory::{Filter, Listed, Place};
use crate::store::{roles, sessions};

pub mod administrator;
pub mod changes;

/// Passes for an administrator, with two factors where the operator asks for that.
pub fn require(services: &Services, visit: &Visit) -> Result<()> {
    if !visit.user.roles.iter().any(|role| role == ADMIN) {
        return Err(not_an_administrator());
    }
    if services.policy.admin_second_factor && visit.session().factors < 2 {
        return Err(AuthError::SecondFactorMissing);
    }
    Ok(())
}

fn not_an_administrator() -> AuthError {
    AuthError::Forbidden {
        needs: vec![ADMIN.to_owned()],
    }
}

/// Counts a request of an administrator.
pub async fn charge(services: &Services, visit: &Visit, client: &Client) -> Result<()> {
    let charge = Charge::new(ADMINISTRATION, visit.user.id);
    services.limits.take(&[charge], client).await
}

/// A page of users.
pub async fn search(
    services: &Services,
    filter: &Filter,
    after: Option<&Place>,
    limit: usize,
) -> Result<Page> {
    let db = &services.db;
    let page = db.run(async |conn| directory::page(conn, filter, after, limit).await);
    Ok(page.await?)
}

pub async fn find(services: &Services, id: Uuid) -> Result<Listed> {
    let db = &services.db;
    let found = db.run(async |conn| directory::find(conn, id).await).await?;
    found.ok_or(AuthError::ItemNotFound)
}

pub async fn sessions(services: &Services, id: Uuid) -> Result<Vec<sessions::ListedSession>> {
    find(services, id).await?;
    session::list(services, id).await
}

/// Every role that somebody has, and how many have it.
pub async fn role_counts(services: &Services) -> Result<Vec<(String, i64)>> {
    let db = &services.db;
    Ok(db.run(async |conn| roles::counts(conn).await).await?)
}
