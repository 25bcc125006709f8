//! Latency of the statements of a login and a request, from one connection.

use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use latchkey::domain::secret::KeyHash;
use latchkey::domain::username::Username;
use latchkey::store::login::{self, Name};
use latchkey::store::sessions;

use crate::database::{Database, list};
use crate::wal;

const ROUNDS: usize = 20;
const EACH: usize = 200;
const STATEMENTS: [&str; 4] = [
    "recognising a session",
    "login: finding the account",
    "login: starting the session",
    "logout",
];

/// Latencies of each statement.
pub type Latencies = [Vec<Duration>; STATEMENTS.len()];

async fn recognise(conn: &AsyncPgConnection, number: u64) {
    let key = KeyHash::of(&format!("key{number}"));
    let found = sessions::find(&mut &*conn, &key).await.unwrap();
    assert!(found.is_some());
}

async fn round(database: &mut Database, latencies: &mut Latencies) {
    let numbers = database.some(EACH);
    let users = database.ids("user", &numbers).await;
    let names = format!(
        "select username from users where id = any (select md5('user' || n)::uuid from unnest({}) n)",
        list(&numbers)
    );
    let names = database.sql.query(&names, &[]).await.unwrap();
    let network = wal::client().neighbourhood();
    let mut timed = |which: usize, began: Instant| latencies[which].push(began.elapsed());
    let conn = &mut database.conn;
    for number in &numbers {
        let began = Instant::now();
        recognise(conn, *number).await;
        timed(0, began);
    }
    for name in &names {
        let name = Username::parse(name.get(0)).ok().unwrap();
        let began = Instant::now();
        let found = login::find(conn, Name::Username(&name), network);
        assert!(found.await.unwrap().account.is_some());
        timed(1, began);
    }
    for user in users {
        let began = Instant::now();
        let session = wal::log_in(conn, user).await;
        timed(2, began);
        let began = Instant::now();
        wal::log_out(conn, user, session).await;
        timed(3, began);
    }
}

/// The databases take turns, each going first as often, so that a busy moment of the machine meets each.
pub async fn measure(databases: &mut [Database]) -> Vec<Latencies> {
    let mut all: Vec<Latencies> = databases.iter().map(|_| Latencies::default()).collect();
    for database in &*databases {
        database.run("checkpoint").await;
    }
    for number in 0..=ROUNDS {
        let count = databases.len();
        for turn in 0..count {
            let which = (number + turn) % count;
            round(&mut databases[which], &mut all[which]).await;
            if number == 0 {
                all[which] = Latencies::default();
            }
        }
    }
    all
}

/// Milliseconds.
pub fn percentile(latencies: &[Duration], part: f64) -> f64 {
    let mut sorted = latencies.to_vec();
    sorted.sort();
    let index = (sorted.len() as f64 * part) as usize;
    sorted[index.min(sorted.len() - 1)].as_secs_f64() * 1000.0
}

/// Each database's figures, and the ratio of the last to the first.
pub fn print(rows: &[u64], measured: &[Latencies]) {
    crate::print_head("ms, p50 / p99", rows);
    for (which, name) in STATEMENTS.into_iter().enumerate() {
        let figures: Vec<[f64; 2]> = measured
            .iter()
            .map(|all| [0.5, 0.99].map(|part| percentile(&all[which], part)))
            .collect();
        let mut cells: Vec<String> = figures
            .iter()
            .map(|[p50, p99]| format!("{p50:.3} / {p99:.3}"))
            .collect();
        if let [first, .., last] = &figures[..] {
            let ratio = format!(" (× {:.2} / {:.2})", last[0] / first[0], last[1] / first[1]);
            cells.last_mut().unwrap().push_str(&ratio);
        }
        crate::print_line(name, cells.into_iter());
    }
}
