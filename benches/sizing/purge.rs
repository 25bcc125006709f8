//! Logins at the real server while it purges expired sessions, and while it does not.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use latchkey::store::db::connection::Connector;
use latchkey::store::expiry::{Expiring, TURN};
use uuid::Uuid;

use crate::database;
use crate::login_load::{Load, Window};
use crate::speed::percentile;
use crate::support::{self, Server, registration};

const ROUNDS: usize = 8;
const WINDOW: Duration = Duration::from_secs(20);
/// Without rests the purge would be over too soon.
const SHORT_WINDOW: Duration = Duration::from_secs(2);
const SETTLE: Duration = Duration::from_secs(2);
const USERS: u64 = 1_000_000;
const NAMES: usize = 1000;

/// The purge of the server goes on only while nobody else has the turn.
struct Gate {
    conn: AsyncPgConnection,
    sql: tokio_postgres::Client,
}

impl Gate {
    async fn turn(&mut self, call: &str) {
        let turn = diesel::sql_query(format!("select {call}({TURN})"));
        turn.execute(&mut self.conn).await.unwrap();
    }

    async fn close(&mut self) {
        self.turn("pg_advisory_lock").await;
        tokio::time::sleep(SETTLE).await;
    }

    async fn deleted(&self) -> f64 {
        let deleted = "select n_tup_del from pg_stat_user_tables where relname = 'sessions'";
        database::number(&self.sql, deleted).await
    }

    /// Lets the server purge, which it starts once a minute; waits for that.
    async fn open(&mut self) {
        self.turn("pg_advisory_unlock").await;
        let before = self.deleted().await;
        while self.deleted().await - before < 5000.0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The program's statement, back to back.
    async fn purge_without_rests(&mut self, time: Duration) {
        let (began, mut reached) = (Instant::now(), None);
        while began.elapsed() < time {
            let batch = Expiring::Sessions.delete(&mut self.conn, reached, 250);
            reached = batch.await.unwrap().until;
        }
    }
}

/// The windows of each state: no purge, the purge, the purge without rests.
type Windows = [Vec<Window>; 3];

const STATES: [&str; 3] = ["no purge", "purge", "purge without rests"];

async fn prepare(address: &str, sockets: &Path, expired: u64) -> (Gate, Vec<Uuid>) {
    let susan = reqwest::Client::new()
        .post(format!("http://{address}/api/register"))
        .header("content-type", "application/json")
        .body(registration("susan"));
    assert_eq!(susan.send().await.unwrap().status(), 201);
    let connector = Connector::unix_socket(sockets, "latchkey", "postgres");
    let conn = connector.ok().unwrap().connect_without_limits().await;
    let mut gate = Gate {
        conn: conn.unwrap(),
        sql: database::connect(sockets).await,
    };
    gate.close().await;
    let users = USERS.min(expired);
    database::durable(&gate.sql, "off").await;
    database::insert(sockets, expired, |first, last| {
        database::sessions(first, last, expired, users, "31 days")
    })
    .await;
    database::fill(&gate.sql, sockets, users).await;
    let logins = format!(
        "insert into users (username, email, password_hash) \
         select 'login' || n, 'login' || n || '@example.com', password_hash from users, generate_series(1, {NAMES}) n \
         where username = 'susan'"
    );
    gate.sql.batch_execute(&logins).await.unwrap();
    let ids = gate.sql.query(
        "select md5('user' || n) from generate_series(1, 100000) n",
        &[],
    );
    let ids = ids.await.unwrap();
    let ids = ids.iter().map(|row| Uuid::parse_str(row.get(0)).unwrap());
    (gate, ids.take(users as usize).collect())
}

/// Returns the windows, and how many rows the server purged in how many seconds.
async fn measure(gate: &mut Gate, load: &Arc<Load>, expired: u64) -> (Windows, f64, f64) {
    let (mut windows, mut purged, mut seconds) = (Windows::default(), 0.0, 0.0);
    load.window(SETTLE).await;
    for _ in 0..ROUNDS {
        windows[0].push(load.window(WINDOW).await);
        let without_rests = load.window(SHORT_WINDOW);
        let both =
            futures_util::future::join(without_rests, gate.purge_without_rests(SHORT_WINDOW));
        windows[2].push(both.await.0);
        gate.open().await;
        let (before, began) = (gate.deleted().await, Instant::now());
        windows[1].push(load.window(WINDOW).await);
        purged += gate.deleted().await - before;
        seconds += began.elapsed().as_secs_f64();
        gate.close().await;
        let gone = gate.deleted().await;
        let left = expired as f64 - gone;
        println!("{left:.0} expired sessions are left.");
        if left < 1.5 * gone / windows[1].len() as f64 {
            break;
        }
    }
    (windows, purged, seconds)
}

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    let middle = ratios.len() / 2;
    (ratios[middle] + ratios[(ratios.len() - 1) / 2]) / 2.0
}

fn print(what: &str, windows: &Windows, of: impl Fn(&Window) -> &Vec<Duration>) {
    println!("\n| {what} | p50 ms | p99 ms | p99 to that without a purge, by round | median |");
    println!("| --- | --- | --- | --- | --- |");
    let p99s = |state: usize| windows[state].iter().map(|one| percentile(of(one), 0.99));
    for (state, name) in STATES.into_iter().enumerate() {
        let all: Vec<Duration> = windows[state].iter().flat_map(&of).copied().collect();
        let ratios: Vec<f64> = p99s(state)
            .zip(p99s(0))
            .map(|(p99, none)| p99 / none)
            .collect();
        let shown: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        println!(
            "| {name} | {:.2} | {:.2} | {} | {:.2} |",
            percentile(&all, 0.5),
            percentile(&all, 0.99),
            shown.join(" "),
            median(ratios)
        );
    }
}

pub async fn run(expired: u64) {
    let data = crate::place("purge");
    let program = env!("CARGO_BIN_EXE_latchkey");
    let server =
        tokio::task::block_in_place(|| Server::start(&mut support::serve(program, &data, 2)));
    let sockets = data.join("postgres/run");
    let (mut gate, users) = prepare(&server.address, &sockets, expired).await;
    let load = Load::new(&sockets, &server.address, NAMES, users);
    let (windows, purged, seconds) = measure(&mut gate, &load, expired).await;
    println!(
        "\n{expired} expired sessions, {} rounds of {WINDOW:?} each; the server purged {:.0} rows a second.",
        windows[0].len(),
        purged / seconds
    );
    print("login over HTTP, 25 a second", &windows, |window| {
        &window.http
    });
    print("login statement, 200 a second", &windows, |window| {
        &window.statement
    });
    drop(server);
    // Its PostgreSQL is still writing for a moment.
    while std::fs::remove_dir_all(&data).is_err() {
        tokio::time::sleep(SETTLE).await;
    }
}
