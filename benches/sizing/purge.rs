//! Logins while the program purges expired sessions, and while it does not.

use std::time::Duration;

use clap::Parser;
use latchkey::auth::services::Services;
use latchkey::auth::upkeep;
use latchkey::config::Settings;
use uuid::Uuid;

use crate::database::Database;
use crate::login_load::{Load, NAMES, Window};
use crate::speed::percentile;
use crate::support::registration;

/// Short, and in turn, since the machine has seconds in which everything is slow.
const WINDOW: Duration = Duration::from_secs(3);
const SETTLE: Duration = Duration::from_millis(300);
const BLOCKS: usize = 6;
const PAIRS: usize = 10;
const USERS: u64 = 1_000_000;
const SECRET_KEY: &str = "only-for-benchmarks-0123456789abcdef";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// Windows without a purge and with one.
type Windows = [Vec<Window>; 2];

/// The program's server without its background work, so that the purge can be started and ended at will.
fn serve(database: &Database) -> (String, Services) {
    let arguments = [
        "latchkey",
        "--listen=127.0.0.1:0",
        "--workers=2",
        "--hash-workers=2",
        "--rate-limits=off",
    ];
    let settings = Arguments::parse_from(arguments).settings;
    let connector = database.connector();
    let mails = std::env::temp_dir().join("latchkey-bench-mails");
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let instance = latchkey::app::build(&settings, connector, SECRET_KEY, &mails).unwrap();
            let address = instance.address.to_string();
            tell.send((address, instance.services)).unwrap();
            instance.server.await.unwrap();
        });
    });
    told.recv().unwrap()
}

/// Expired sessions, and people who can log in over HTTP and by statement.
async fn prepare(database: &Database, address: &str, expired: u64) -> Vec<Uuid> {
    let susan = reqwest::Client::new()
        .post(format!("http://{address}/api/register"))
        .header("content-type", "application/json")
        .body(registration("susan"));
    assert_eq!(susan.send().await.unwrap().status(), 201);
    database.expire(expired).await;
    let logins = format!(
        "insert into users (username, email, password_hash) \
         select 'login' || n, 'login' || n || '@example.com', password_hash from users, generate_series(1, {NAMES}) n \
         where username = 'susan'"
    );
    database.run(&logins).await;
    database.run("vacuum analyze sessions").await;
    database.set("autovacuum", "on").await;
    database.run("checkpoint").await;
    database.ids("user", &database.some(100_000)).await
}

async fn deleted(database: &Database) -> f64 {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let deleted = "select n_tup_del from pg_stat_user_tables where relname = 'sessions'";
    database.number(deleted).await
}

/// A pair of windows, in changing order. The background work is that of the program.
async fn pair(load: &std::sync::Arc<Load>, services: &Services, first: usize, all: &mut Windows) {
    for purging in [first, 1 - first] {
        let work = (purging == 1).then(|| tokio::spawn(upkeep::run(services.clone())));
        tokio::time::sleep(SETTLE).await;
        all[purging].push(load.window(WINDOW).await);
        if let Some(work) = work {
            work.abort();
            let _ = work.await;
        }
    }
}

fn p99(windows: &[Window], of: impl Fn(&Window) -> &Vec<Duration>) -> f64 {
    let all: Vec<Duration> = windows.iter().flat_map(of).copied().collect();
    percentile(&all, 0.99)
}

fn print(what: &str, windows: &Windows, of: impl Fn(&Window) -> &Vec<Duration>) {
    let all = |purging: usize| -> Vec<Duration> {
        windows[purging].iter().flat_map(&of).copied().collect()
    };
    let mut blocks: Vec<f64> = (windows[0].chunks(PAIRS).zip(windows[1].chunks(PAIRS)))
        .map(|(without, with)| p99(with, &of) / p99(without, &of))
        .collect();
    let [without, with] = [0, 1].map(|purging| {
        let (p50, p99) = (
            percentile(&all(purging), 0.5),
            percentile(&all(purging), 0.99),
        );
        format!("{p50:.2} / {p99:.2}")
    });
    let shown: Vec<String> = blocks.iter().map(|ratio| format!("{ratio:.2}")).collect();
    blocks.sort_by(f64::total_cmp);
    let median = (blocks[blocks.len() / 2] + blocks[(blocks.len() - 1) / 2]) / 2.0;
    println!(
        "| {what} | {without} | {with} | {} | {median:.2} |",
        shown.join(" ")
    );
}

pub async fn run(expired: u64) {
    let database = Database::filled(USERS.min(expired)).await;
    let (address, services) = serve(&database);
    let users = prepare(&database, &address, expired).await;
    let load = Load::new(database.connector(), &address, users);
    load.window(WINDOW).await;
    let (mut windows, before) = (Windows::default(), deleted(&database).await);
    for number in 0..BLOCKS * PAIRS {
        pair(&load, &services, number % 2, &mut windows).await;
    }
    let purged = deleted(&database).await - before;
    let seconds = (WINDOW + SETTLE).as_secs_f64() * windows[1].len() as f64;
    println!(
        "\n{expired} expired sessions, {} pairs of {WINDOW:?}; {:.0} were purged, {:.0} a second.",
        windows[1].len(),
        purged,
        purged / seconds
    );
    println!(
        "\n| p50 / p99 ms | no purge | purge | p99 to p99 by {PAIRS} pairs | median |\n| --- | --- | --- | --- | --- |"
    );
    print("login over HTTP, 25 a second", &windows, |window| {
        &window.http
    });
    print("login statement, 200 a second", &windows, |window| {
        &window.statement
    });
}
