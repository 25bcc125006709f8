//! Security events: what happened to accounts, in order.

use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{
    Array, Bool, Inet, Integer, Interval, Jsonb, Nullable, Text, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use serde_json::Value;
use uuid::Uuid;

use super::schema::security_events;
use crate::domain::moment::Moment;

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = security_events, check_for_backend(diesel::pg::Pg))]
pub struct Event {
    pub id: Uuid,
    /// To whom; `None` if nobody has the name that was tried, or nobody did anything.
    pub user_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub kind: String,
    pub ip: IpNet,
    pub user_agent: Option<String>,
    pub request_id: Uuid,
    /// Who did it, if not the user.
    pub actor_id: Option<Uuid>,
    pub details: Option<Value>,
}

impl Event {
    /// To whom it happened, even if that was to be deleted by an administrator.
    pub fn about(&self) -> Option<Uuid> {
        let deleted = || {
            self.details
                .as_ref()?
                .get("user_id")?
                .as_str()?
                .parse()
                .ok()
        };
        self.user_id.or_else(deleted)
    }
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

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// What happened to this user.
    pub user_id: Option<Uuid>,
    /// And, if they are not there any more, who deleted them.
    pub with_deletion: bool,
    /// What this administrator did.
    pub actor_id: Option<Uuid>,
    pub kind: Option<&'static str>,
}

impl Wanted {
    /// All that happened to a user.
    pub fn of_user(id: Uuid) -> Self {
        Self {
            user_id: Some(id),
            ..Self::default()
        }
    }
}

/// A page of events, newest first: those before `before`.
pub async fn page(
    conn: &mut AsyncPgConnection,
    wanted: &Wanted,
    before: Option<Moment>,
    limit: i64,
) -> QueryResult<Vec<Event>> {
    let newest = (
        security_events::created_at.desc(),
        security_events::id.desc(),
    );
    let mut events = security_events::table
        .order(newest)
        .limit(limit)
        .select(Event::as_select())
        .into_boxed();
    if let Some(id) = wanted.user_id {
        let theirs = security_events::user_id.eq(id);
        events = if wanted.with_deletion {
            let id = id.to_string();
            let deletion = security_events::kind
                .eq("deleted")
                .and(sql::<Bool>("details->>'user_id' = ").bind::<Text, _>(id));
            events.filter(theirs.or(deletion.assume_not_null()))
        } else {
            events.filter(theirs)
        };
    }
    if let Some(id) = wanted.actor_id {
        events = events.filter(security_events::actor_id.eq(id));
    }
    if let Some(kind) = wanted.kind {
        events = events.filter(security_events::kind.eq(kind));
    }
    if let Some(Moment { at, id }) = before {
        // The first condition is for the index.
        let earlier = security_events::created_at.lt(at);
        let same_time = security_events::id.lt(id);
        events = events
            .filter(security_events::created_at.le(at))
            .filter(earlier.or(same_time));
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
