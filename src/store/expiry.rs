//! Rows whose time is over: deleted in the order in which it ended, some at a time.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Nullable, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use strum::VariantArray;

/// "lkpurge" in ASCII. Of all instances only one deletes at a time, so that ten of them burden the database like one.
pub const TURN: i64 = 0x6c_6b70_7572_6765;

/// The tables whose rows end with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Expiring {
    Sessions,
    SecurityEvents,
    RateLimits,
    KnownNetworks,
    Tokens,
    Challenges,
    LoginSteps,
    OidcFlows,
    TrustedDevices,
    /// People who registered and never proved their address: their names are free again.
    UnprovenUsers,
}

/// What one statement deleted.
#[derive(Debug, Default, QueryableByName)]
pub struct Deleted {
    #[diesel(sql_type = BigInt)]
    pub rows: i64,
    /// When the time of the last row ended. Rows whose time ended before that are gone, unless they were locked.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub until: Option<DateTime<Utc>>,
    /// How long ago the last row should have been deleted, in seconds.
    #[diesel(sql_type = Nullable<Double>)]
    pub behind: Option<f64>,
}

impl Expiring {
    /// The table, the indexed column that counts, how long a row stays after that, and which rows the rule is for.
    fn rule(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Sessions => ("sessions", "expires_at", "0", "true"),
            Self::SecurityEvents => ("security_events", "created_at", "90 days", "true"),
            Self::RateLimits => ("rate_limits", "full_at", "0", "true"),
            Self::KnownNetworks => ("known_networks", "seen_at", "90 days", "true"),
            Self::Tokens => ("tokens", "expires_at", "0", "true"),
            Self::Challenges => ("challenges", "expires_at", "0", "true"),
            Self::LoginSteps => ("login_steps", "expires_at", "0", "true"),
            Self::OidcFlows => ("oidc_flows", "expires_at", "0", "true"),
            Self::TrustedDevices => ("trusted_devices", "expires_at", "0", "true"),
            Self::UnprovenUsers => {
                let unproven = "email is null and pending_email is not null and last_login_at is null and disabled_at is null";
                ("users", "created_at", "7 days", unproven)
            }
        }
    }

    /// Deletes up to `limit` rows whose time is over, or none if another instance is deleting.
    ///
    /// `from` is where the last statement ended. Without it, each statement goes through the index entries of all rows
    /// that were deleted since the last vacuum, and visits each of those rows while an old snapshot, such as that of a
    /// backup, still needs them: a third of a second for a million.
    ///
    /// The bounds are subqueries, so that the planner does not know them: for one near the end of the index it looks up
    /// the least value there is, through the entries of all deleted rows again (`get_actual_variable_range`).
    ///
    /// One statement that skips locked rows: two that each held rows the other needs would deadlock. It finds the rows
    /// again by ctid, which spares a random read of the primary key for each; a row that was updated meanwhile stays.
    /// Its commit waits for no disk: if a crash loses it, the rows are deleted again.
    pub async fn delete(
        self,
        conn: &mut AsyncPgConnection,
        from: Option<DateTime<Utc>>,
        limit: i64,
    ) -> QueryResult<Deleted> {
        let (table, column, kept, which) = self.rule();
        let delete = format!(
            "with gone as (delete from {table} where ctid = any (array(select ctid from {table} \
             where {which} and (select set_config('synchronous_commit', 'off', true) = 'off' and pg_try_advisory_xact_lock($1)) \
             and {column} >= (select coalesce($2, '-infinity')) and {column} <= (select now() - interval '{kept}') \
             order by {column} limit $3 for update skip locked)) \
             returning {column} as at) select count(*) as rows, max(at) as until, \
             extract(epoch from now() - interval '{kept}' - max(at))::float8 as behind from gone"
        );
        diesel::sql_query(delete)
            .bind::<BigInt, _>(TURN)
            .bind::<Nullable<Timestamptz>, _>(from)
            .bind::<BigInt, _>(limit)
            .get_result(conn)
            .await
    }
}
