//! What an import found out.

use super::transaction::{Transaction, failed};
use crate::store::db::error::DbError;

/// One line that cannot come.
pub struct Found {
    pub line: u64,
    pub field: Option<String>,
    pub reason: String,
    pub shown: String,
    pub detail: String,
}

#[derive(Default)]
pub struct Counts {
    pub lines: u64,
    pub come: u64,
    pub here: u64,
    pub renamed: u64,
    pub without_password: u64,
    /// Of those who come.
    pub administrators: u64,
    /// Of those who come: hashes that take longer to verify than ours.
    pub slower: u64,
    /// Of those who come, by format.
    pub hashes: Vec<(String, u64)>,
    pub reasons: Vec<(String, u64)>,
}

const COUNTS: &str = "
    select count(*), count(*) filter (where reason is null), count(*) filter (where reason = 'here'),
        count(*) filter (where reason is null and made is not null),
        count(*) filter (where reason is null and password_hash is null),
        count(*) filter (where reason is null and slower),
        count(*) filter (where reason is null and 'admin' = any(roles))
    from import_lines";
const HASHES: &str = "
    select format, count(*) from import_lines where reason is null and format is not null
    group by format order by count(*) desc, format";
const REASONS: &str = "
    select reason, count(*) from import_lines where reason <> 'here' group by reason order by count(*) desc, reason";
const FOUND: &str = "
    select line, field, reason, coalesce(shown, ''), coalesce(detail, '') from import_lines
    where reason <> 'here' order by line limit $1";

impl Transaction {
    pub async fn counts(&self) -> Result<Counts, DbError> {
        let row = self.client.query_one(COUNTS, &[]).await.map_err(failed)?;
        let count = |column: usize| row.get::<_, i64>(column).unsigned_abs();
        Ok(Counts {
            lines: count(0),
            come: count(1),
            here: count(2),
            renamed: count(3),
            without_password: count(4),
            slower: count(5),
            administrators: count(6),
            hashes: self.groups(HASHES).await?,
            reasons: self.groups(REASONS).await?,
        })
    }

    async fn groups(&self, query: &str) -> Result<Vec<(String, u64)>, DbError> {
        let rows = self.client.query(query, &[]).await.map_err(failed)?;
        let group = |row: &tokio_postgres::Row| (row.get(0), row.get::<_, i64>(1).unsigned_abs());
        Ok(rows.iter().map(group).collect())
    }

    /// The first lines that cannot come.
    pub async fn found(&self, limit: u32) -> Result<Vec<Found>, DbError> {
        let rows = self.client.query(FOUND, &[&i64::from(limit)]).await;
        let found = |row: &tokio_postgres::Row| Found {
            line: row.get::<_, i64>(0).unsigned_abs(),
            field: row.get(1),
            reason: row.get(2),
            shown: row.get(3),
            detail: row.get(4),
        };
        Ok(rows.map_err(failed)?.iter().map(found).collect())
    }
}
