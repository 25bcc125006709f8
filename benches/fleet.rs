//! What announcing changes costs a fleet: the program's own login and logout statements from 64 connections, against a
//! PostgreSQL whose commits take 2 ms, as on a cloud disk or with a synchronous standby. With and without the triggers,
//! in turn. `cargo bench --bench fleet -- [rounds]` prints a Markdown table.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that prints its findings"
)]

#[path = "support/psql.rs"]
mod psql;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use latchkey::auth::events::{self, Kind};
use latchkey::auth::metrics::Metrics;
use latchkey::auth::second_factor::sealed::Sealer;
use latchkey::auth::services::Services;
use latchkey::auth::session::{forget, listener};
use latchkey::config::Settings;
use latchkey::domain::client::Client;
use latchkey::domain::secret::SessionKey;
use latchkey::store::db::migrations;
use latchkey::store::local::LocalPostgres;
use latchkey::store::login::{self, NewSession};
use latchkey::store::sessions;
use uuid::Uuid;

const CONNECTIONS: usize = 64;
const USERS: usize = 2000;
const ROUND: Duration = Duration::from_secs(4);

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// A database, the program's services on it, and its users.
struct Fleet {
    services: Services,
    sql: tokio_postgres::Client,
    users: Vec<Uuid>,
    /// Open sessions, each with its user.
    open: Mutex<Vec<(Uuid, Uuid)>>,
    next: AtomicUsize,
}

impl Fleet {
    async fn on(local: &LocalPostgres, sockets: &Path) -> Self {
        let pool = format!("--db-pool={CONNECTIONS}");
        let settings = Arguments::parse_from(["latchkey", &pool]).settings;
        let connector = local.connector();
        let services = latchkey::app::services(
            &settings.database,
            &settings.passwords,
            settings.policy(),
            None,
            Sealer::of_nobody().unwrap(),
            connector,
            Metrics::default(),
        );
        let sql = psql::connect(sockets).await;
        for setting in ["commit_delay = 2000", "commit_siblings = 0"] {
            let set = format!("alter system set {setting}");
            sql.batch_execute(&set).await.unwrap();
        }
        sql.batch_execute("select pg_reload_conf()").await.unwrap();
        let insert = format!(
            "insert into users (username, email, password_hash) select 'user' || n, 'user' || n || '@example.com', 'none' \
             from generate_series(1, {USERS}) n"
        );
        sql.batch_execute(&insert).await.unwrap();
        let users = sql.query("select id::text from users", &[]).await.unwrap();
        Self {
            services: services.unwrap(),
            sql,
            users: users
                .iter()
                .map(|row| row.get::<_, String>(0).parse().unwrap())
                .collect(),
            open: Mutex::default(),
            next: AtomicUsize::new(0),
        }
    }

    async fn log_in(&self) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let user_id = self.users[number % USERS];
        let (client, key) = (Client::at_shell("fleet"), SessionKey::generate().unwrap());
        let event = events::made(Kind::LoggedIn, Some(user_id), &client);
        let new = NewSession {
            locale: None,
            user_id,
            password_epoch: 0,
            key_hash: &key.hash(),
            methods: &["password"],
            factors: 1,
            is_enough: false,
            remembered: false,
            network: client.neighbourhood(),
            lifetime: Duration::from_secs(3600),
            event: &event,
        };
        let db = &self.services.db;
        let started = db.run(async |conn| login::start(conn, new).await).await;
        let Ok(Some(started)) = started else {
            return false;
        };
        let mut open = self.open.lock().unwrap();
        open.push((user_id, started.session.id));
        true
    }

    async fn log_out(&self) -> bool {
        let session = self.open.lock().unwrap().pop();
        let Some((user_id, id)) = session else {
            return false;
        };
        let db = &self.services.db;
        let ended = db.run(async |conn| sessions::end_of_user(conn, user_id, id).await);
        let ended = ended.await.unwrap();
        forget(&self.services, ended.as_slice());
        true
    }

    /// Statements a second from all connections, until the time is over or there is nothing left to do.
    async fn rate(&self, work: impl AsyncFn(&Self) -> bool) -> f64 {
        let (began, done) = (Instant::now(), AtomicUsize::new(0));
        let workers = (0..CONNECTIONS).map(|_| async {
            while began.elapsed() < ROUND && work(self).await {
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        futures_util::future::join_all(workers).await;
        done.into_inner() as f64 / began.elapsed().as_secs_f64()
    }

    async fn set_triggers(&self, on: bool) {
        let state = if on { "enable" } else { "disable" };
        for table in ["users", "sessions"] {
            let set = format!("alter table {table} {state} trigger user");
            self.sql.batch_execute(&set).await.unwrap();
        }
    }

    /// What earlier rounds have left must not slow later ones down.
    async fn tidy_up(&self) {
        self.open.lock().unwrap().clear();
        let statements = [
            "truncate sessions, security_events, known_networks",
            "vacuum full users",
            "checkpoint",
        ];
        for statement in statements {
            self.sql.batch_execute(statement).await.unwrap();
        }
    }

    async fn announced_within(&self) -> Duration {
        let began = Instant::now();
        while self.count("announcements").await > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        began.elapsed()
    }

    async fn count(&self, table: &str) -> i64 {
        let count = format!("select count(*) from {table}");
        self.sql.query_one(&count, &[]).await.unwrap().get(0)
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.find_map(|text| text.parse().ok()).unwrap_or(6);
    let place = std::env::temp_dir().join(format!("latchkey-fleet-{}", std::process::id()));
    let local = tokio::task::block_in_place(|| LocalPostgres::start(&place).unwrap());
    tokio::task::block_in_place(|| migrations::run(&local.connector()).unwrap());
    let sockets = place.join("postgres/run");
    let fleet = Fleet::on(&local, &sockets).await;
    tokio::spawn(listener::run(fleet.services.clone()));
    let (mut logins, mut logouts) = ([vec![], vec![]], [vec![], vec![]]);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        // The first of the two finds the smaller tables, so they take turns at that.
        for on in [round % 2 == 0, round % 2 == 1] {
            fleet.tidy_up().await;
            fleet.set_triggers(on).await;
            logins[usize::from(on)].push(fleet.rate(Fleet::log_in).await);
            logouts[usize::from(on)].push(fleet.rate(Fleet::log_out).await);
            slowest = slowest.max(fleet.announced_within().await);
        }
    }
    println!(
        "{CONNECTIONS} connections, commits of 2 ms, {rounds} rounds of {ROUND:?}, medians.\n"
    );
    println!("| statement | with triggers | without | ratio |\n| --- | --- | --- | --- |");
    for (what, [off, on]) in [("login", logins), ("logout", logouts)] {
        let (off, on) = (median(off), median(on));
        println!("| {what} | {on:.0}/s | {off:.0}/s | {:.2} |", on / off);
    }
    println!("\nThe last change of a round was announced within {slowest:.1?} of its end.");
    drop(local);
    let _ = std::fs::remove_dir_all(&place);
}
