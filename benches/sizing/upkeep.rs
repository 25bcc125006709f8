//! What keeping the tables in order costs: written uses, vacuum, and the purge of expired sessions.

use std::time::{Duration, Instant};

use latchkey::auth::upkeep::PURGED_AT_ONCE;
use latchkey::store::expiry::Expiring;

use crate::database::Database;
use crate::wal;

/// Autovacuum's default: it comes when a fifth of the rows are dead.
const TOUCHED_PART: f64 = 0.2;
/// Expired sessions for each session that is not.
const EXPIRED_PART: f64 = 0.4;
/// Batches in a figure of the purge.
const BATCHES: usize = 50;

/// What uses of a fifth of the sessions leave behind.
pub struct Uses {
    rate: f64,
    /// The part of the updates that wrote no index entries (HOT).
    hot: f64,
    pub wal: f64,
    heap_growth: f64,
    index_growth: f64,
    pub vacuum: Duration,
}

/// The purge of expired sessions. Durations are of one batch.
pub struct Purge {
    rows: usize,
    first: Duration,
    last: Duration,
    from_the_start: Duration,
    snapshot: Duration,
    snapshot_from_the_start: Duration,
    pub rate: f64,
    wal: f64,
    vacuum: Duration,
}

async fn position(database: &Database) -> f64 {
    let position = "pg_current_wal_insert_lsn() - '0/0'::pg_lsn";
    database.number(position).await
}

async fn sizes(database: &Database) -> [f64; 2] {
    let heap = database.number("pg_table_size('sessions')").await;
    let indexes = database.number("pg_indexes_size('sessions')").await;
    [heap, indexes]
}

async fn updates(database: &Database) -> [f64; 2] {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let figure = async |column: &str| {
        let figure = format!("select {column} from pg_stat_user_tables where relname = 'sessions'");
        database.number(&figure).await
    };
    [figure("n_tup_upd").await, figure("n_tup_hot_upd").await]
}

pub async fn uses(database: &mut Database) -> Uses {
    database.run("vacuum sessions").await;
    database.run("checkpoint").await;
    let count = (database.rows as f64 * TOUCHED_PART) as usize;
    let ids = database.ids("session", &database.some(count)).await;
    let (before, size, log) = (
        updates(database).await,
        sizes(database).await,
        position(database).await,
    );
    let began = Instant::now();
    wal::touch(&mut database.conn, &ids).await;
    let took = began.elapsed();
    let (after, grown) = (updates(database).await, sizes(database).await);
    let done = after[0] - before[0];
    Uses {
        rate: count as f64 / took.as_secs_f64(),
        hot: (after[1] - before[1]) / done,
        wal: (position(database).await - log) / done,
        heap_growth: grown[0] / size[0] - 1.0,
        index_growth: grown[1] / size[1] - 1.0,
        vacuum: database.run("vacuum sessions").await,
    }
}

/// Purges `batches` batches back to back; returns the mean time of one, and of one at the start and at the end.
async fn delete(
    database: &mut Database,
    batches: usize,
    reached: &mut Option<chrono::DateTime<chrono::Utc>>,
    remember: bool,
) -> [Duration; 3] {
    let mut times = Vec::with_capacity(batches);
    for _ in 0..batches {
        let from = reached.filter(|_| remember);
        let began = Instant::now();
        let deleted = Expiring::Sessions.delete(&mut database.conn, from, PURGED_AT_ONCE);
        let deleted = deleted.await.unwrap();
        times.push(began.elapsed());
        assert_eq!(deleted.rows, PURGED_AT_ONCE);
        *reached = deleted.until;
    }
    let mean = |times: &[Duration]| times.iter().sum::<Duration>() / times.len() as u32;
    let few = BATCHES.min(batches);
    [
        mean(&times),
        mean(&times[..few]),
        mean(&times[batches - few..]),
    ]
}

pub async fn purge(database: &mut Database) -> Purge {
    let rows = (database.rows as f64 * EXPIRED_PART) as usize;
    database.expire(rows as u64).await;
    database.run("vacuum analyze sessions").await;
    database.run("checkpoint").await;
    let log = position(database).await;
    let batch = usize::try_from(PURGED_AT_ONCE).unwrap();
    let batches = rows / batch / 2;
    let mut reached = None;
    let [mean, first, last] = delete(database, batches, &mut reached, true).await;
    let written = position(database).await - log;
    let from_the_start = delete(database, 10, &mut reached, false).await[0];
    let other = database.another().await;
    other
        .batch_execute("begin isolation level repeatable read; select 1")
        .await
        .unwrap();
    let snapshot = delete(database, batches / 2, &mut reached, true).await[2];
    let snapshot_from_the_start = delete(database, 10, &mut reached, false).await[0];
    drop(other);
    Purge {
        rows: batches * batch,
        first,
        last,
        from_the_start,
        snapshot,
        snapshot_from_the_start,
        rate: batch as f64 / mean.as_secs_f64(),
        wal: written / (batches * batch) as f64,
        vacuum: database.run("vacuum sessions").await,
    }
}

pub fn print_uses(rows: &[u64], measured: &[Uses]) {
    crate::print_head("written uses of a fifth of the sessions", rows);
    let line = |name: &str, of: &dyn Fn(&Uses) -> String| {
        crate::print_line(name, measured.iter().map(of));
    };
    line("uses a second", &|uses| format!("{:.0}", uses.rate));
    line("of them without index entries (HOT)", &|uses| {
        format!("{:.0} %", uses.hot * 100.0)
    });
    line("bytes of WAL a use", &|uses| format!("{:.0}", uses.wal));
    line("growth of the table", &|uses| {
        format!("{:.1} %", uses.heap_growth * 100.0)
    });
    line("growth of the indexes", &|uses| {
        format!("{:.1} %", uses.index_growth * 100.0)
    });
    line("vacuum after that, s", &|uses| {
        format!("{:.1}", uses.vacuum.as_secs_f64())
    });
}

pub fn print_purge(rows: &[u64], measured: &[Purge]) {
    let head = format!("purge of expired sessions, {PURGED_AT_ONCE} a statement");
    crate::print_head(&head, rows);
    let line = |name: &str, of: &dyn Fn(&Purge) -> String| {
        crate::print_line(name, measured.iter().map(of));
    };
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
    line("rows purged before the last figures", &|purge| {
        purge.rows.to_string()
    });
    line("ms a statement, the first 50", &|purge| ms(purge.first));
    line("ms a statement, the last 50", &|purge| ms(purge.last));
    line("from the start again, the next 10", &|purge| {
        ms(purge.from_the_start)
    });
    line("with an old snapshot, half as many rows later", &|purge| {
        ms(purge.snapshot)
    });
    line("with it and from the start again", &|purge| {
        ms(purge.snapshot_from_the_start)
    });
    line("rows a second, without rests", &|purge| {
        format!("{:.0}", purge.rate)
    });
    line("bytes of WAL a row", &|purge| format!("{:.0}", purge.wal));
    line("vacuum after all that, s", &|purge| {
        format!("{:.1}", purge.vacuum.as_secs_f64())
    });
}
