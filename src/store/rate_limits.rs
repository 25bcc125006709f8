//! Rate limits: GCRA (ITU-T I.371, the leaky bucket as a meter) in one atomic statement for any number of buckets.

use std::time::Duration;

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::pg::data_types::PgInterval;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Interval, Nullable};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::clock::interval;

/// A bucket to take one token from.
pub struct Bucket {
    pub name: Vec<u8>,
    /// Time until one token comes back.
    pub each: Duration,
    /// Time until an empty bucket is full.
    pub period: Duration,
}

/// What happened to a bucket.
#[derive(Debug)]
pub struct Answer {
    pub name: Vec<u8>,
    pub taken: bool,
    /// Time until there is a token, if the bucket was empty. `None` for a bucket that was left alone because another
    /// one was empty.
    pub missing: Option<Duration>,
}

struct Take {
    names: Vec<Vec<u8>>,
    each: Vec<PgInterval>,
    periods: Vec<PgInterval>,
}

/// Takes a token from each bucket, or none at all if one is empty. A refusal writes nothing.
///
/// Row locks serialize concurrent requests on all instances. They are acquired in the order of the names, which
/// prevents deadlocks. Only when two requests race for a bucket that has no row yet can one of them get some tokens but
/// not all.
pub async fn take(conn: &mut AsyncPgConnection, buckets: &[Bucket]) -> QueryResult<Vec<Answer>> {
    let take = Take {
        names: buckets.iter().map(|bucket| bucket.name.clone()).collect(),
        each: buckets.iter().map(|bucket| interval(bucket.each)).collect(),
        periods: buckets
            .iter()
            .map(|bucket| interval(bucket.period))
            .collect(),
    };
    let rows: Vec<(Vec<u8>, bool, Option<i64>)> = take.get_results(conn).await?;
    let answer = |(name, taken, micros): (_, _, Option<i64>)| Answer {
        name,
        taken,
        missing: micros.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))),
    };
    Ok(rows.into_iter().map(answer).collect())
}

/// Gives one token back to each bucket in `put_back`, and refills those in `filled`.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    put_back: &[Vec<u8>],
    filled: &[Vec<u8>],
) -> QueryResult<()> {
    let settle = Settle { put_back, filled };
    settle.execute(conn).await.map(|_| ())
}

impl QueryId for Take {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Take {
    type SqlType = (Binary, Bool, Nullable<BigInt>);
}

impl QueryFragment<Pg> for Take {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("with asked as (select b, e, w from unnest(");
        out.push_bind_param::<Array<Binary>, _>(&self.names)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Interval>, _>(&self.each)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Interval>, _>(&self.periods)?;
        // clock_timestamp(), not now(): after waiting for a row lock, now() is out of date. `full_at` is never further
        // away than the whole period, unless the clock went back. Then the bucket starts over, so that it is not
        // blocked until the old time comes again.
        out.push_sql(
            ") as asked (b, e, w)), \
             held as materialized (\
               select bucket, full_at from rate_limits where bucket in (select b from asked) order by bucket for update), \
             met as materialized (\
               select b, e, w, at, case when full_at between at and at + w + interval '1 minute' then full_at else at end as full_at \
               from (select b, e, w, full_at, clock_timestamp() as at from asked left join held on bucket = b) as seen), \
             refused as (select b, full_at + e - (at + w) as missing from met where full_at + e > at + w), \
             taken as (\
               insert into rate_limits as held (bucket, full_at, each, whole) \
               select b, full_at + e, e, w from met where not exists (select from refused) order by b \
               on conflict (bucket) do update \
               set full_at = excluded.each + case \
                 when held.full_at > clock_timestamp() + excluded.whole + interval '1 minute' then clock_timestamp() \
                 else greatest(held.full_at, clock_timestamp()) end, \
               each = excluded.each, whole = excluded.whole \
               where greatest(held.full_at, clock_timestamp()) + excluded.each <= clock_timestamp() + excluded.whole \
                 or held.full_at > clock_timestamp() + excluded.whole + interval '1 minute' \
               returning bucket) \
             select b, exists (select from taken where bucket = b), (extract(epoch from missing) * 1000000)::bigint \
             from met left join refused using (b)",
        );
        Ok(())
    }
}

struct Settle<'a> {
    put_back: &'a [Vec<u8>],
    filled: &'a [Vec<u8>],
}

impl QueryId for Settle<'_> {
    type QueryId = Settle<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Settle<'_> {
    type SqlType = BigInt;
}

impl QueryFragment<Pg> for Settle<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("with held as materialized (select bucket, bucket = any(");
        out.push_bind_param::<Array<Binary>, _>(self.filled)?;
        out.push_sql(") as filled from rate_limits where bucket = any(");
        out.push_bind_param::<Array<Binary>, _>(self.put_back)?;
        out.push_sql(") or bucket = any(");
        out.push_bind_param::<Array<Binary>, _>(self.filled)?;
        // Locks rows in the same order as `take`.
        out.push_sql(
            ") order by bucket for update), \
             filled as (delete from rate_limits where bucket in (select bucket from held where filled)) \
             update rate_limits set full_at = full_at - each where bucket in (select bucket from held where not filled)",
        );
        Ok(())
    }
}
