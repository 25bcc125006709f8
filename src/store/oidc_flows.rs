//! People who are at a provider and will come back: one row each, good for one return.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Interval, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::clock::interval;
use super::schema::oidc_flows;
use crate::domain::secret::KeyHash;

#[derive(Insertable)]
#[diesel(table_name = oidc_flows)]
pub struct NewFlow<'a> {
    pub state_hash: &'a KeyHash,
    pub browser_hash: &'a KeyHash,
    pub provider: &'a str,
    pub intent: &'static str,
    pub session_id: Option<Uuid>,
    pub nonce: &'a str,
    pub verifier: &'a str,
    pub redirect_to: Option<&'a str>,
    pub remembered: bool,
}

/// What somebody wanted who comes back.
#[derive(Queryable, Selectable)]
#[diesel(table_name = oidc_flows, check_for_backend(Pg))]
pub struct Flow {
    pub intent: String,
    pub session_id: Option<Uuid>,
    pub nonce: String,
    pub verifier: String,
    pub redirect_to: Option<String>,
    pub remembered: bool,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(
    conn: &mut AsyncPgConnection,
    flow: &NewFlow<'_>,
    lifetime: Duration,
) -> QueryResult<usize> {
    let ends = now.into_sql::<Timestamptz>() + interval(lifetime).into_sql::<Interval>();
    diesel::insert_into(oidc_flows::table)
        .values((flow, oidc_flows::expires_at.eq(ends)))
        .execute(conn)
        .await
}

/// Uses a flow up, whatever becomes of it. `None` if it was used before, is too old, or is another browser's or
/// provider's: then it stays, so that whoever began it can finish it.
pub async fn take(
    conn: &mut AsyncPgConnection,
    state: &KeyHash,
    browser: &KeyHash,
    provider: &str,
) -> QueryResult<Option<Flow>> {
    let theirs = oidc_flows::table
        .find(state)
        .filter(oidc_flows::browser_hash.eq(browser))
        .filter(oidc_flows::provider.eq(provider))
        .filter(oidc_flows::expires_at.gt(now));
    diesel::delete(theirs)
        .returning(Flow::as_returning())
        .get_result(conn)
        .await
        .optional()
}
