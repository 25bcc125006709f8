//! Security events: what happened to accounts, in order.

use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Inet, Integer, Interval, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use serde_json::Value;
use uuid::Uuid;

use super::schema::security_events;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = security_events, check_for_backend(diesel::pg::Pg))]
pub struct Event {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub kind: String,
    pub ip: IpNet,
    pub user_agent: Option<String>,
    pub request_id: Uuid,
    /// Who did it, if not the user.
    pub actor_id: Option<Uuid>,
    pub details: Option<Value>,
}

/// An event that happened. Its id is chosen with it, so that writing it twice leaves one row.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: Uuid,
    pub kind: &'static str,
    pub user_id: Option<Uuid>,
    pub ip: IpNet,
    pub user_agent: Option<String>,
    pub request_id: Uuid,
    pub count: i32,
    pub actor_id: Option<Uuid>,
    pub details: Option<Value>,
    pub happened: Instant,
}

struct Insert<'a> {
    ids: Vec<Uuid>,
    kinds: Vec<&'a str>,
    user_ids: Vec<Option<Uuid>>,
    ips: Vec<IpNet>,
    user_agents: Vec<Option<&'a str>>,
    request_ids: Vec<Uuid>,
    counts: Vec<i32>,
    actor_ids: Vec<Option<Uuid>>,
    details: Vec<Option<&'a Value>>,
    ages: Vec<PgInterval>,
}

/// Inserts the events that are not in the table yet. Each gets the time at which it happened: the database's clock
/// minus its age.
pub async fn insert(conn: &mut AsyncPgConnection, events: &[NewEvent]) -> QueryResult<usize> {
    let age = |event: &NewEvent| {
        let micros = event.happened.elapsed().as_micros();
        PgInterval::from_microseconds(i64::try_from(micros).unwrap_or(i64::MAX))
    };
    let insert = Insert {
        ids: events.iter().map(|event| event.id).collect(),
        kinds: events.iter().map(|event| event.kind).collect(),
        user_ids: events.iter().map(|event| event.user_id).collect(),
        ips: events.iter().map(|event| event.ip).collect(),
        user_agents: events
            .iter()
            .map(|event| event.user_agent.as_deref())
            .collect(),
        request_ids: events.iter().map(|event| event.request_id).collect(),
        counts: events.iter().map(|event| event.count).collect(),
        actor_ids: events.iter().map(|event| event.actor_id).collect(),
        details: events.iter().map(|event| event.details.as_ref()).collect(),
        ages: events.iter().map(age).collect(),
    };
    insert.execute(conn).await
}

/// Which events administrators ask for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub user_id: Option<Uuid>,
    pub actor_id: Option<Uuid>,
    pub kind: Option<String>,
}

/// A page of all events, newest first: those before the event `before`.
pub async fn page(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    before: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<(Event, Option<Uuid>)>> {
    let mut events = security_events::table
        .order((
            security_events::created_at.desc(),
            security_events::id.desc(),
        ))
        .limit(limit)
        .select((Event::as_select(), security_events::user_id))
        .into_boxed();
    if let Some(id) = wanted.user_id {
        events = events.filter(security_events::user_id.eq(id));
    }
    if let Some(id) = wanted.actor_id {
        events = events.filter(security_events::actor_id.eq(id));
    }
    if let Some(kind) = &wanted.kind {
        events = events.filter(security_events::kind.eq(kind));
    }
    if let Some(before) = before {
        let at = security_events::table
            .find(before)
            .select(security_events::created_at);
        let Some(at) = at.first::<DateTime<Utc>>(conn).await.optional()? else {
            return Ok(Vec::new());
        };
        let earlier = security_events::created_at.lt(at);
        let same_time = security_events::created_at
            .eq(at)
            .and(security_events::id.lt(before));
        events = events.filter(earlier.or(same_time));
    }
    events.load(conn).await
}

/// A page of a user's events, newest first: those before the event `before`.
pub async fn of_user(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> QueryResult<Vec<Event>> {
    let mut events = security_events::table
        .filter(security_events::user_id.eq(user_id))
        .order((
            security_events::created_at.desc(),
            security_events::id.desc(),
        ))
        .limit(limit)
        .select(Event::as_select())
        .into_boxed();
    if let Some(before) = before {
        let at = security_events::table
            .find(before)
            .filter(security_events::user_id.eq(user_id))
            .select(security_events::created_at);
        let Some(at) = at.first::<DateTime<Utc>>(conn).await.optional()? else {
            return Ok(Vec::new());
        };
        let earlier = security_events::created_at.lt(at);
        let same_time = security_events::created_at
            .eq(at)
            .and(security_events::id.lt(before));
        events = events.filter(earlier.or(same_time));
    }
    events.load(conn).await
}

impl QueryId for Insert<'_> {
    type QueryId = Insert<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Insert<'_> {
    type SqlType = Integer;
}

impl QueryFragment<Pg> for Insert<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "insert into security_events (id, kind, user_id, ip, user_agent, request_id, count, actor_id, details, created_at) \
             select id, kind, user_id, ip, user_agent, request_id, count, actor_id, details, now() - age from unnest(",
        );
        out.push_bind_param::<Array<SqlUuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.kinds)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<SqlUuid>>, _>(&self.user_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Inet>, _>(&self.ips)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.user_agents)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SqlUuid>, _>(&self.request_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.counts)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<SqlUuid>>, _>(&self.actor_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Jsonb>>, _>(&self.details)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Interval>, _>(&self.ages)?;
        out.push_sql(
            ") as new (id, kind, user_id, ip, user_agent, request_id, count, actor_id, details, age) on conflict (id) do nothing",
        );
        Ok(())
    }
}
