//! Time in the database: its clock, the source of every timestamp in the tables, and intervals.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::data_types::PgInterval;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

diesel::define_sql_function! {
    /// For use inside a query. Not `sql("now()")`: a statement with literal SQL is parsed and planned each time.
    #[sql_name = "now"]
    fn database_time() -> diesel::sql_types::Timestamptz;
}

/// The time of the current transaction.
pub async fn current_time(conn: &mut AsyncPgConnection) -> QueryResult<DateTime<Utc>> {
    diesel::select(database_time()).get_result(conn).await
}

pub fn interval(time: Duration) -> PgInterval {
    PgInterval::from_microseconds(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}
