//! PostgreSQL away and back, without a restart of ours.

use std::time::Duration;

use latchkey::store::connection::Connector;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::task::JoinHandle;

use crate::support::{App, Database, PASSWORD, settings, wait_until};

/// Passes connections on to the database's socket until it is told not to.
struct Proxy {
    port: u16,
    task: Option<JoinHandle<()>>,
    sockets: std::path::PathBuf,
}

impl Proxy {
    async fn start(database: &Database) -> Self {
        let mut proxy = Self {
            port: 0,
            task: None,
            sockets: database.sockets().join(".s.PGSQL.5432"),
        };
        proxy.open().await;
        proxy
    }

    async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let sockets = self.sockets.clone();
        self.task = Some(tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = UnixStream::connect(&sockets).await.unwrap();
                open.spawn(async move { copy_bidirectional(&mut near, &mut far).await });
            }
        }));
    }

    /// Cuts every connection and takes no new ones.
    async fn close(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        let _ = task.await;
    }
}

async fn behind_proxy() -> (App, Proxy) {
    let database = Database::create().await;
    let proxy = Proxy::start(&database).await;
    let url = format!(
        "postgres://latchkey@127.0.0.1:{}/{}",
        proxy.port,
        database.name()
    );
    let app = App::through(database, Connector::from_url(&url).unwrap(), settings(&[]));
    app.wait_for_cache().await;
    (app, proxy)
}

#[tokio::test]
async fn while_the_database_is_away_every_endpoint_says_so_and_works_again_after() {
    let (app, mut proxy) = behind_proxy().await;
    let susan = app.logged_in("susan").await;
    assert!(susan.is_logged_in().await);
    proxy.close().await;
    wait_until("the cache is closed", async || {
        !app.services.sessions.is_open()
    })
    .await;

    for path in ["/api/me", "/api/sessions", "/health/ready"] {
        let reply = tokio::time::timeout(Duration::from_secs(3), susan.get(path))
            .await
            .expect("an answer within 3 s");
        let reply = reply.refused(503, "database_unavailable");
        assert!(reply.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    let stranger = app.visitor();
    let form = json!({"username": "miguel", "email": "miguel@example.com", "password": PASSWORD});
    stranger
        .post("/api/register", form)
        .await
        .refused(503, "database_unavailable");
    stranger
        .log_in("susan")
        .await
        .refused(503, "database_unavailable");
    susan.log_out().await.refused(503, "database_unavailable");
    app.visitor().get("/health/live").await.expect(200);
    susan.get("/api/errors").await.expect(200);

    proxy.open().await;
    wait_until("the same session is recognised again", async || {
        susan.get("/api/me").await.status == 200
    })
    .await;
    susan.get("/health/ready").await.expect(200);
    wait_until("the cache is open again", async || {
        app.services.sessions.is_open()
    })
    .await;
    susan.log_out().await.expect(204);
    assert!(!susan.is_logged_in().await);
}

#[tokio::test]
async fn a_table_locked_by_somebody_else_costs_a_503_in_time_not_a_hang() {
    let app = App::start().await;
    app.registered("susan").await;
    let lock = tokio::spawn({
        let database = app.database.share();
        async move {
            database
                .sql("begin; lock table users; select pg_sleep(4); commit")
                .await
        }
    });
    let locked = "select count(*) from pg_locks where relation = 'users'::regclass and mode = 'AccessExclusiveLock' and granted";
    wait_until("the table is locked", async || app.count(locked).await == 1).await;
    let visitor = app.visitor();
    let attempts =
        (0..20).map(|_| tokio::time::timeout(Duration::from_millis(2800), visitor.log_in("susan")));
    for reply in futures_util::future::join_all(attempts).await {
        reply
            .expect("an answer within 2.8 s")
            .refused(503, "database_unavailable");
    }
    lock.await.unwrap();
    visitor.log_in("susan").await.expect(200);
}
