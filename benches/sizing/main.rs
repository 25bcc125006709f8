//! What users and sessions cost in PostgreSQL, measured with the program's own statements:
//! `cargo bench --bench sizing -- [millions …]` prints Markdown tables for a million of each and for every other number
//! of millions; `-- purge [millions]` measures logins while so many expired sessions are purged.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that prints its findings"
)]

mod bytes;
mod database;
mod extrapolation;
mod login_load;
#[path = "../support/psql.rs"]
mod psql;
mod purge;
mod speed;
#[expect(
    dead_code,
    reason = "shared with benches that compare with a static route"
)]
#[path = "../support/mod.rs"]
mod support;
mod upkeep;
mod wal;

use std::path::PathBuf;

use database::Database;
use extrapolation::Figures;

/// Below the working directory of a run, removed afterwards.
pub fn place(name: &str) -> PathBuf {
    let process = std::process::id();
    std::env::temp_dir().join(format!("latchkey-sizing-{process}-{name}"))
}

pub fn print_head(what: &str, rows: &[u64]) {
    print!("\n| {what} |");
    for rows in rows {
        print!(" {} M |", *rows as f64 / 1e6);
    }
    println!("\n| --- |{}", " --- |".repeat(rows.len()));
}

pub fn print_line(name: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    println!("| {name} | {} |", cells.join(" | "));
}

async fn measure(sizes: &[u64]) {
    let mut databases = Vec::new();
    for rows in sizes {
        databases.push(Database::filled(*rows).await);
    }
    let mut sizes_of_rows = Vec::new();
    for database in &databases {
        let (users, sessions) = (
            bytes::measure(database, "users").await,
            bytes::measure(database, "sessions").await,
        );
        sizes_of_rows.push(vec![users, sessions]);
    }
    bytes::print(sizes, &sizes_of_rows);
    let latencies = speed::measure(&mut databases).await;
    speed::print(sizes, &latencies);
    let (mut logs, mut uses, mut purges) = (Vec::new(), Vec::new(), Vec::new());
    for database in &mut databases {
        logs.push(wal::measure_all(database).await);
        uses.push(upkeep::uses(database).await);
        purges.push(upkeep::purge(database).await);
    }
    wal::print(sizes, &logs);
    upkeep::print_uses(sizes, &uses);
    upkeep::print_purge(sizes, &purges);
    let trails = bytes::measure(&databases[0], "security_events").await;
    let figures: Vec<Figures> = (0..sizes.len())
        .map(|index| Figures {
            rows: sizes[index] as f64,
            bytes: &sizes_of_rows[index],
            event: trails.all(),
            wal: &logs[index],
            use_wal: uses[index].wal,
            vacuum: uses[index].vacuum,
            purge_rate: purges[index].rate,
        })
        .collect();
    extrapolation::print(&figures);
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let millions = |text: &String| text.parse::<f64>().ok().map(|number| number * 1e6);
    let mut numbers: Vec<u64> = arguments
        .iter()
        .filter_map(millions)
        .map(|number| number as u64)
        .collect();
    if arguments.iter().any(|word| word == "purge") {
        return purge::run(numbers.first().map_or(1_000_000, |rows| *rows)).await;
    }
    if !numbers.iter().any(|rows| *rows <= 1_000_000) {
        numbers.insert(0, 1_000_000);
    }
    measure(&numbers).await;
}
