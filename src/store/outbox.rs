//! The outbox: mails that no server has taken yet. A row leaves when one has.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::{now, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Interval, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::clock::interval;
use super::schema::mails;
use super::users::lower;

/// A mail to send.
#[derive(Insertable)]
#[diesel(table_name = mails)]
pub struct NewMail<'a> {
    pub id: Uuid,
    pub kind: &'static str,
    /// `None`: whoever has the address.
    pub user_id: Option<Uuid>,
    pub address: &'a str,
    pub locale: Option<&'a str>,
    pub facts: Value,
}

#[derive(Debug, Clone, Queryable, QueryableByName, Selectable)]
#[diesel(table_name = mails, check_for_backend(diesel::pg::Pg))]
pub struct Mail {
    pub id: Uuid,
    pub kind: String,
    pub user_id: Option<Uuid>,
    pub address: String,
    pub locale: Option<String>,
    pub facts: Value,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub claimed_until: Option<DateTime<Utc>>,
    /// How often an instance has begun to send it.
    pub tries: i32,
    pub last_error: Option<String>,
}

impl Mail {
    /// How old it was when it was claimed for `lease`, by the database's clock.
    pub fn age(&self, lease: Duration) -> TimeDelta {
        let claimed_at = self.claimed_until.map(|until| until - lease);
        claimed_at.unwrap_or(self.due_at) - self.created_at
    }
}

pub async fn insert(conn: &mut AsyncPgConnection, mail: &NewMail<'_>) -> QueryResult<usize> {
    diesel::insert_into(mails::table)
        .values(mail)
        .execute(conn)
        .await
}

/// Inserts a mail that is due at this time, or has it be due then if that is sooner.
pub async fn insert_due(
    conn: &mut AsyncPgConnection,
    mail: &NewMail<'_>,
    due_at: DateTime<Utc>,
) -> QueryResult<usize> {
    let sooner = sql::<Timestamptz>("least(mails.due_at, excluded.due_at)");
    diesel::insert_into(mails::table)
        .values((mail, mails::due_at.eq(due_at)))
        .on_conflict(mails::id)
        .do_update()
        .set(mails::due_at.eq(sooner))
        .execute(conn)
        .await
}

/// Claims mails that are due, each for `lease`, before anything is sent: no transaction stays open for a slow server.
pub async fn claim(
    conn: &mut AsyncPgConnection,
    limit: i64,
    lease: Duration,
) -> QueryResult<Vec<Mail>> {
    // Materialized, or a plan may run the subquery, and its limit, more than once.
    let claim = "with due as materialized (\
                 select id from mails where due_at <= now() and (claimed_until is null or claimed_until < now()) \
                 order by due_at limit $2 for update skip locked) \
                 update mails set claimed_until = now() + $1, tries = tries + 1 from due \
                 where mails.id = due.id returning mails.*";
    diesel::sql_query(claim)
        .bind::<Interval, _>(interval(lease))
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await
}

/// Locks a claimed mail. False if it is gone, or another instance has claimed it since.
pub async fn hold(conn: &mut AsyncPgConnection, mail: &Mail) -> QueryResult<bool> {
    let row = mails::table
        .filter(mails::id.eq(mail.id).and(mails::tries.eq(mail.tries)))
        .select(mails::id)
        .for_update();
    let held = row.first::<Uuid>(conn).await.optional()?;
    Ok(held.is_some())
}

/// Removes a mail that arrived, or that nobody should get any more.
pub async fn remove(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<usize> {
    diesel::delete(mails::table.find(id)).execute(conn).await
}

/// Tries again later, unless another instance has claimed it since.
pub async fn postpone(
    conn: &mut AsyncPgConnection,
    mail: &Mail,
    wait: Duration,
    why: &str,
) -> QueryResult<usize> {
    let claimed = mails::table.filter(mails::id.eq(mail.id).and(mails::tries.eq(mail.tries)));
    diesel::update(claimed)
        .set((
            mails::due_at.eq(now.into_sql::<Timestamptz>() + interval(wait).into_sql::<Interval>()),
            mails::claimed_until.eq(None::<DateTime<Utc>>),
            mails::last_error.eq(why),
        ))
        .execute(conn)
        .await
}

/// Inserts a mail for each account that waits for this address, for the three newest at most.
pub async fn for_each_pending(
    conn: &mut AsyncPgConnection,
    kind: &'static str,
    address: &str,
) -> QueryResult<usize> {
    let insert = "insert into mails (id, kind, user_id, address, locale) \
                  select gen_random_uuid(), $1, id, pending_email, locale from users \
                  where email is null and lower(pending_email) = lower($2) order by created_at desc limit 3";
    diesel::sql_query(insert)
        .bind::<Text, _>(kind)
        .bind::<Text, _>(address)
        .execute(conn)
        .await
}

/// Every mail that waits, the oldest first.
pub async fn list(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Mail>> {
    mails::table
        .order((mails::created_at, mails::id))
        .select(Mail::as_select())
        .load(conn)
        .await
}

/// The mails that wait.
#[derive(QueryableByName)]
pub struct Backlog {
    #[diesel(sql_type = Double)]
    pub mails: f64,
    /// Seconds since the oldest was asked for; 0 without one.
    #[diesel(sql_type = Double)]
    pub oldest: f64,
}

pub async fn backlog(conn: &mut AsyncPgConnection) -> QueryResult<Backlog> {
    let select = "select count(*)::float8 as mails, \
                  coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as oldest from mails";
    diesel::sql_query(select).get_result(conn).await
}

/// The mails that wait for a user.
pub async fn of_user(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Vec<Mail>> {
    mails::table
        .filter(mails::user_id.eq(id))
        .order(mails::created_at)
        .select(Mail::as_select())
        .load(conn)
        .await
}

/// Makes waiting mails due now: one of them, or all.
pub async fn retry(conn: &mut AsyncPgConnection, id: Option<Uuid>) -> QueryResult<usize> {
    let due = (
        mails::due_at.eq(now),
        mails::claimed_until.eq(None::<DateTime<Utc>>),
    );
    match id {
        Some(id) => {
            diesel::update(mails::table.find(id))
                .set(due)
                .execute(conn)
                .await
        }
        None => diesel::update(mails::table).set(due).execute(conn).await,
    }
}

/// Removes the mails to a user that were asked for after this time.
pub async fn forget_newer(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    than: DateTime<Utc>,
) -> QueryResult<usize> {
    let to = mails::table.filter(mails::user_id.eq(user_id).and(mails::created_at.gt(than)));
    diesel::delete(to).execute(conn).await
}

/// Removes what somebody asked for by an address whose user is being deleted; mails to the user go with the row.
pub async fn forget_address(conn: &mut AsyncPgConnection, address: &str) -> QueryResult<usize> {
    let to = mails::table.filter(mails::user_id.is_null());
    let to = to.filter(lower(mails::address).eq(lower(address)));
    diesel::delete(to).execute(conn).await
}
