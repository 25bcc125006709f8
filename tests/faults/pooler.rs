//! R16: Debian's pgbouncer between the instances and PostgreSQL.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use crate::Scale;
use crate::load::{Caller, counts, hammer, improper, log_in, me, post};
use crate::process::TempDir;
use crate::report::Report;
use crate::server::{cookie, free_port, psql, sockets, somebody, time_until, until_over};
use crate::shared::Shared;

/// As many as the instances want together. With pgbouncer's default of 20, two instances are one too many.
const POOL: u32 = 60;

struct Pooler {
    child: Child,
    port: u16,
    _place: TempDir,
}

impl Pooler {
    /// In front of the shared server's only database.
    async fn start(shared: &Shared, mode: &str) -> Self {
        let (place, port) = (TempDir::new(), free_port());
        let settings = format!(
            "[databases]\npostgres = host={} user=latchkey\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = {mode}\ndefault_pool_size = {POOL}\nmax_client_conn = 200\n",
            sockets(&shared.place.0).display()
        );
        let file = place.0.join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let child = Command::new("pgbouncer")
            .args(["-q", "-u", "postgres"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .expect("R16 needs pgbouncer: apt-get install pgbouncer");
        let pooler = Self {
            child,
            port,
            _place: place,
        };
        time_until(async || pooler.client().await.is_some()).await;
        pooler
    }

    fn url(&self) -> String {
        format!("postgres://latchkey@127.0.0.1:{}/postgres", self.port)
    }

    /// Another program's connection through the pooler.
    async fn client(&self) -> Option<tokio_postgres::Client> {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.ok()?;
        tokio::spawn(connection);
        client.simple_query("select 1").await.ok()?;
        Some(client)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn between(report: &mut Report, scale: Scale) {
    let shared = Shared::start().await;
    for mode in ["transaction", "statement"] {
        refused(report, &shared, mode).await;
    }
    let pooler = Pooler::start(&shared, "session").await;
    killed_starts(report, &shared, &pooler, scale.of(10, 100)).await;
    session_mode(report, &shared, &pooler, scale).await;
}

/// In this mode, a start is refused with the reason and leaves nothing behind on the server's connections.
async fn refused(report: &mut Report, shared: &Shared, mode: &str) {
    let pooler = Pooler::start(shared, mode).await;
    let began = Instant::now();
    let mut command = shared.command(&pooler.url());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = output.status.code() == Some(1) && said.contains("pool_mode = session");
    report.check(
        &format!("{mode} mode: refused at start, with the fix"),
        refused,
        "true",
        refused,
    );
    report.within(
        &format!("{mode} mode: until it is refused"),
        took,
        Duration::from_secs(3),
    );
    let locks = "select count(*) from pg_locks where locktype = 'advisory'";
    let left = psql(&sockets(&shared.place.0)).await.unwrap();
    let left: i64 = left.query_one(locks, &[]).await.unwrap().get(0);
    report.check(
        &format!("{mode} mode: locks left behind"),
        left,
        "0",
        left == 0,
    );
    let other = pooler.client().await.unwrap();
    let rows = other.simple_query("show statement_timeout").await.unwrap();
    let timeout = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
        _ => None,
    });
    report.check(
        &format!("{mode} mode: statement_timeout of another client"),
        format!("{timeout:?}"),
        "Some(\"0\")",
        timeout.as_deref() == Some("0"),
    );
}

/// A start that dies at any moment does not hold up the next one.
async fn killed_starts(report: &mut Report, shared: &Shared, pooler: &Pooler, rounds: u32) {
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let mut command = shared.command(&pooler.url());
        let mut dying = command.stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(u64::from(round % 10) * 5)).await;
        dying.kill().unwrap();
        dying.wait().unwrap();
        let began = Instant::now();
        drop(shared.instance(&pooler.url()).await.unwrap());
        slowest = slowest.max(began.elapsed());
    }
    report.within(
        &format!("session mode: a start after {rounds} that died, and its end, worst"),
        slowest,
        Duration::from_secs(6),
    );
}

/// Two instances behind the pooler serve as without it.
async fn session_mode(report: &mut Report, shared: &Shared, pooler: &Pooler, scale: Scale) {
    let url = pooler.url();
    let (a, b) = (shared.instance(&url), shared.instance(&url));
    let (a, b) = (a.await.unwrap(), b.await.unwrap());
    somebody(a.address, "susan").await;
    let (mut on_a, mut on_b) = (Caller::to(a.address), Caller::to(b.address));
    let mut slowest = Duration::ZERO;
    for _ in 0..scale.of(50, 500) {
        let susan = cookie(a.address, "susan").await;
        assert_eq!(on_b.ask(&me(&susan)).await.status, 200);
        let left = on_a.ask(&post("logout", "/api/logout", &susan, "{}")).await;
        slowest = slowest.max(until_over(&mut on_b, &susan, left.answered()).await);
    }
    report.within(
        "session mode: logout on A until B says 401, worst",
        slowest,
        Duration::from_millis(100),
    );
    let time = Duration::from_secs(scale.of(3, 20));
    let outcomes = hammer(a.address, 30, time, |_| log_in("susan")).await;
    report.tell("session mode: logins of 30 clients", counts(&outcomes));
    report.none("session mode: neither good nor 503", improper(&outcomes));
    for (name, instance) in [("A", &a), ("B", &b)] {
        let log = instance.output.lock().unwrap().clone();
        let lost = log.matches("lost the notification channel").count();
        report.none(&format!("session mode: channels that {name} lost"), lost);
    }
}
