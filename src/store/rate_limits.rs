//! Rate limits: GCRA (ITU-T I.371, the leaky bucket as a meter), one atomic statement for any number of buckets.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Binary, Interval};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::rate_limits;
use super::sessions::database_time;

/// A bucket to take one token from.
pub struct Bucket {
    pub name: Vec<u8>,
    /// Time in which one token comes back.
    pub each: Duration,
    /// Time in which the empty bucket fills.
    pub whole: Duration,
}

struct Take {
    names: Vec<Vec<u8>>,
    each: Vec<PgInterval>,
    whole: Vec<PgInterval>,
}

/// Takes a token from each bucket that has one, and returns the names of those.
///
/// The rows' locks put concurrent takers one after the other, on all instances; they are taken in the order of the
/// names, so that two takers cannot wait for each other.
pub async fn take(conn: &mut AsyncPgConnection, buckets: &[Bucket]) -> QueryResult<Vec<Vec<u8>>> {
    let take = Take {
        names: buckets.iter().map(|bucket| bucket.name.clone()).collect(),
        each: buckets.iter().map(|bucket| interval(bucket.each)).collect(),
        whole: buckets
            .iter()
            .map(|bucket| interval(bucket.whole))
            .collect(),
    };
    take.get_results(conn).await
}

/// Gives back what was taken for something that then turned out well.
pub async fn put_back(conn: &mut AsyncPgConnection, names: &[Vec<u8>]) -> QueryResult<usize> {
    diesel::update(rate_limits::table.filter(rate_limits::bucket.eq_any(names)))
        .set(rate_limits::full_at.eq(rate_limits::full_at - rate_limits::each))
        .execute(conn)
        .await
}

/// When the bucket is full again, and the time of the look.
pub async fn look(
    conn: &mut AsyncPgConnection,
    name: &[u8],
) -> QueryResult<Option<(DateTime<Utc>, DateTime<Utc>)>> {
    let row = rate_limits::table
        .find(name)
        .select((rate_limits::full_at, database_time()));
    row.first(conn).await.optional()
}

/// Fills buckets.
pub async fn fill(conn: &mut AsyncPgConnection, names: &[Vec<u8>]) -> QueryResult<usize> {
    diesel::delete(rate_limits::table.filter(rate_limits::bucket.eq_any(names)))
        .execute(conn)
        .await
}

/// Removes up to `limit` buckets that are full; returns how many.
pub async fn purge(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<usize> {
    let is_full = || rate_limits::full_at.lt(diesel::dsl::now);
    let full = rate_limits::table
        .filter(is_full())
        .limit(limit)
        .select(rate_limits::bucket);
    let names: Vec<Vec<u8>> = full.load(conn).await?;
    let still_full = rate_limits::table
        .filter(rate_limits::bucket.eq_any(names))
        .filter(is_full());
    diesel::delete(still_full).execute(conn).await
}

fn interval(time: Duration) -> PgInterval {
    PgInterval::from_microseconds(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

impl QueryId for Take {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Take {
    type SqlType = Binary;
}

impl QueryFragment<Pg> for Take {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // clock_timestamp(), not now(): who waited for a row's lock must not come with an old time. A bucket can never
        // be further than its whole from being full, unless the clock went back: then it starts anew, lest it be shut
        // until the old time comes again.
        out.push_sql(
            "insert into rate_limits as held (bucket, full_at, each, whole) \
             select b, clock_timestamp() + e, e, w from unnest(",
        );
        out.push_bind_param::<Array<Binary>, _>(&self.names)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Interval>, _>(&self.each)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Interval>, _>(&self.whole)?;
        out.push_sql(
            ") as asked (b, e, w) order by b on conflict (bucket) do update \
             set full_at = excluded.each + case \
               when held.full_at > clock_timestamp() + held.whole + interval '1 minute' then clock_timestamp() \
               else greatest(held.full_at, clock_timestamp()) end, \
             each = excluded.each, whole = excluded.whole \
             where greatest(held.full_at, clock_timestamp()) + excluded.each <= clock_timestamp() + excluded.whole \
               or held.full_at > clock_timestamp() + held.whole + interval '1 minute' \
             returning bucket",
        );
        Ok(())
    }
}
