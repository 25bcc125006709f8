//! How many database connections an instance opens, and what it says about that.

use std::time::{Duration, Instant};

use crate::support::process::{Process, TempDir, command};
use crate::support::{App, Database, SECRET_KEY, at_once, wait_until};

const OPEN: &str = "select count(*) from pg_stat_activity where application_name = 'latchkey' \
    and datname = current_database()";

#[tokio::test]
async fn idle_connections_are_closed() {
    let app = App::with(&["--db-pool=8"]).await;
    app.registered("susan").await;
    at_once(16, async |_| app.visitor().log_in("susan").await).await;
    let open = app.count(OPEN).await;
    assert!(open > 4, "{open}");
    let began = Instant::now();
    while app.count(OPEN).await > 3 {
        assert!(began.elapsed() < Duration::from_secs(120), "never closed");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(
        began.elapsed() > Duration::from_secs(30),
        "closed too early"
    );
    app.visitor().log_in("susan").await.expect(200);
}

/// A server on a database of its own, as a role with this limit of connections.
async fn with_limit(limit: u32, pool: &str) -> (Process, Database, TempDir) {
    let (database, data) = (Database::create().await, TempDir::new());
    let (name, role) = (database.name(), format!("few_{}", database.name()));
    database
        .sql(&format!(
            "create role {role} login connection limit {limit}; alter database {name} owner to {role}; \
             grant all on all tables in schema public to {role}; grant all on all sequences in schema public to {role}"
        ))
        .await;
    let url = database.url().replace("latchkey@", &format!("{role}@"));
    let mut command = command(&data.0);
    command
        .env("DATABASE_URL", url)
        .env("LATCHKEY_SECRET_KEY", SECRET_KEY)
        .env("LATCHKEY_RATE_LIMITS", "off")
        .env("LATCHKEY_WORKERS", "1")
        .env("LATCHKEY_DB_POOL", pool);
    (Process::spawn(&mut command), database, data)
}

#[tokio::test]
async fn too_many_connections_are_refused_with_the_fix_in_the_log() {
    let (server, _database, _data) = with_limit(3, "10").await;
    let visitor = server.visitor();
    wait_until("a connection is refused", async || {
        let asked = (0..40).map(|_| visitor.get("/health/ready"));
        let replies = futures_util::future::join_all(asked).await;
        replies.iter().any(|reply| reply.status == 503)
    })
    .await;
    wait_until("the log names the fix", async || {
        let log = server.output.lock().unwrap().clone();
        log.contains("Lower LATCHKEY_DB_POOL on all instances")
    })
    .await;
    wait_until("it serves", async || {
        visitor.get("/health/ready").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn the_connections_wanted_and_allowed_are_logged_at_start() {
    for (pool, warned) in [("7", false), ("500", true)] {
        let (server, _database, _data) = with_limit(20, pool).await;
        let at_most = format!("at_most={}", pool.parse::<u32>().unwrap() + 2);
        wait_until("the budget is logged", async || {
            let log = server.output.lock().unwrap().clone();
            log.contains(&at_most) && log.contains("database connections")
        })
        .await;
        let log = server.output.lock().unwrap().clone();
        assert_eq!(log.contains("or raise max_connections"), warned, "{log}");
    }
}
