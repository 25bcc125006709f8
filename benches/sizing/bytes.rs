//! Bytes of a row, in its table and in each index.

use crate::database::Database;

/// Bytes of one row.
pub struct Bytes {
    pub table: &'static str,
    pub heap: f64,
    pub indexes: Vec<(String, f64)>,
}

impl Bytes {
    pub fn in_indexes(&self) -> f64 {
        self.indexes.iter().map(|(_, bytes)| bytes).sum()
    }

    pub fn all(&self) -> f64 {
        self.heap + self.in_indexes()
    }
}

pub async fn measure(database: &Database, table: &'static str) -> Bytes {
    let rows = database
        .number(&format!("select count(*) from {table}"))
        .await;
    let sizes = format!(
        "select relname::text, pg_table_size(c.oid)::float8 from pg_index join pg_class c on c.oid = indexrelid \
         where indrelid = '{table}'::regclass order by indexrelid"
    );
    let indexes = database.sql.query(&sizes, &[]).await.unwrap();
    let heap = database.number(&format!("pg_table_size('{table}')")).await;
    Bytes {
        table,
        heap: heap / rows,
        indexes: indexes
            .iter()
            .map(|row| (row.get(0), row.get::<_, f64>(1) / rows))
            .collect(),
    }
}

/// A line for each table and index, a column for each database.
pub fn print(rows: &[u64], measured: &[Vec<Bytes>]) {
    crate::print_head("bytes a row", rows);
    for (table, first) in measured[0].iter().enumerate() {
        let line = |name: &str, of: &dyn Fn(&Bytes) -> f64| {
            let cells = measured.iter().map(|all| format!("{:.0}", of(&all[table])));
            crate::print_line(name, cells);
        };
        line(first.table, &|bytes| bytes.heap);
        for (index, (name, _)) in first.indexes.iter().enumerate() {
            line(name, &|bytes| bytes.indexes[index].1);
        }
        line(&format!("**{}, all**", first.table), &Bytes::all);
    }
}
