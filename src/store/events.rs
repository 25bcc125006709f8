//! Security events: what happened to accounts, in the order in which it happened.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use super::schema::security_events;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = security_events, check_for_backend(diesel::pg::Pg))]
pub struct Event {
    pub id: i64,
    pub created_at: DateTime<Utc>,
    pub kind: String,
    pub ip: IpNet,
    pub user_agent: Option<String>,
    pub request_id: Uuid,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = security_events)]
pub struct NewEvent {
    pub kind: &'static str,
    pub user_id: Option<Uuid>,
    pub ip: IpNet,
    pub user_agent: Option<String>,
    pub request_id: Uuid,
}

pub async fn insert(conn: &mut AsyncPgConnection, events: &[NewEvent]) -> QueryResult<usize> {
    diesel::insert_into(security_events::table)
        .values(events)
        .execute(conn)
        .await
}

/// A page of a user's events, the newest first: those before the event `before`.
pub async fn of_user(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    before: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<Event>> {
    security_events::table
        .filter(security_events::user_id.eq(user_id))
        .filter(security_events::id.lt(before.unwrap_or(i64::MAX)))
        .order(security_events::id.desc())
        .limit(limit)
        .select(Event::as_select())
        .load(conn)
        .await
}

/// Removes up to `limit` events older than 90 days; returns how many.
pub async fn purge(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<usize> {
    let old = security_events::table
        .filter(sql::<Bool>("created_at < now() - interval '90 days'"))
        .order(security_events::created_at)
        .limit(limit)
        .select(security_events::id);
    let ids: Vec<i64> = old.load(conn).await?;
    diesel::delete(security_events::table.filter(security_events::id.eq_any(ids)))
        .execute(conn)
        .await
}
