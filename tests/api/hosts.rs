//! Several hosts in `DATABASE_URL`, and hosts that are standbys.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use latchkey::domain::secret::KeyHash;
use latchkey::store::db::connection::Connector;
use latchkey::store::db::migrations;
use latchkey::store::local::LocalPostgres;
use latchkey::store::local::programs::Programs;

use crate::support::process::TempDir;
use crate::support::proxy::{Line, Proxy};
use crate::support::{App, Database, Visitor, at_once, settings, wait_until};

/// A host that accepts connections and says nothing. Counts them.
async fn silent_host() -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            open.push(stream);
        }
    });
    (port, count)
}

/// Proxies to the database of a test, and an app that knows them, in this order after the given hosts.
async fn behind_hosts(first: &[u16], proxies: usize) -> (App, Vec<Proxy>) {
    let database = Database::create().await;
    let socket = database.sockets().join(".s.PGSQL.5432");
    let mut hosts: Vec<_> = first.to_vec();
    let mut all = Vec::new();
    for _ in 0..proxies {
        let proxy = Proxy::start(socket.clone(), Line::Good).await;
        hosts.push(proxy.port);
        all.push(proxy);
    }
    let hosts: Vec<_> = hosts
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let name = database.name();
    let url = format!(
        "postgres://latchkey@{}/{name}?sslmode=disable",
        hosts.join(",")
    );
    let app = App::through(database, Connector::from_url(&url).unwrap(), settings(&[]));
    app.wait_for_cache().await;
    (app, all)
}

#[tokio::test]
async fn a_silent_first_host_costs_one_attempt_and_not_one_per_connection() {
    let (silent, attempts) = silent_host().await;
    let (app, _proxies) = behind_hosts(&[silent], 1).await;
    app.registered("susan").await;
    let before = attempts.load(Ordering::Relaxed);
    assert!(
        (1..=3).contains(&before),
        "{before} connections were opened at once"
    );
    let logins = at_once(20, async |_| app.visitor().log_in("susan").await).await;
    for login in logins.replies {
        login.expect(200);
    }
    assert_eq!(attempts.load(Ordering::Relaxed), before);
}

#[tokio::test]
async fn if_a_host_goes_away_the_next_one_serves() {
    let (app, mut proxies) = behind_hosts(&[], 2).await;
    let susan = app.logged_in("susan").await;
    for (gone, left) in [(0, 1), (1, 0)] {
        proxies[gone].close().await;
        wait_until(&format!("host {left} serves"), async || {
            let login = app.visitor().log_in("susan").await;
            login.status == 200 && susan.get("/api/me").await.status == 200
        })
        .await;
        proxies[gone].open().await;
    }
}

#[tokio::test]
async fn with_all_hosts_gone_the_error_is_the_usual_one() {
    let (app, mut proxies) = behind_hosts(&[], 2).await;
    app.registered("susan").await;
    for proxy in &mut proxies {
        proxy.close().await;
    }
    let login = app.visitor().log_in("susan").await;
    login.refused(503, "database_unavailable");
}

/// A copy of a primary that stays a standby. Nothing reaches it: the longest lag there is.
struct Standby {
    process: Child,
    directory: TempDir,
}

impl Standby {
    /// Copies the cluster of a PostgreSQL that is not running, and starts the copy.
    async fn of(primary: &Path) -> Self {
        let directory = TempDir::new();
        let copied = Command::new("cp")
            .arg("-a")
            .arg(primary.join("postgres"))
            .arg(&directory.0)
            .status();
        assert!(copied.unwrap().success());
        let data = directory.0.join("postgres/data");
        std::fs::write(data.join("standby.signal"), "").unwrap();
        let owner = std::fs::metadata(&data).unwrap();
        let programs = Programs::find(None).unwrap();
        let mut command = Command::new(programs.directory.join("postgres"));
        command
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses="]);
        let sockets = directory.0.join("postgres/run").display().to_string();
        command.args(["-c", &format!("unix_socket_directories={sockets}")]);
        let process = command
            .uid(owner.uid())
            .gid(owner.gid())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let standby = Self { process, directory };
        wait_until("the standby answers", async || {
            let mut config = tokio_postgres::Config::new();
            config
                .host_path(&sockets)
                .user("latchkey")
                .dbname("postgres");
            config.connect(tokio_postgres::NoTls).await.is_ok()
        })
        .await;
        standby
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An app that reaches its database by a path that leads to the primary first and to the standby later.
struct Switched {
    app: App,
    susan: Visitor,
    key_hash: KeyHash,
    path: PathBuf,
    _proxy: Proxy,
    _primary: LocalPostgres,
    standby: Standby,
    _directories: [TempDir; 2],
}

impl Switched {
    async fn start(parameters: &str) -> Self {
        let (directory, links) = (TempDir::new(), TempDir::new());
        let place = directory.0.clone();
        let start = move || LocalPostgres::start(&place).unwrap();
        let primary = tokio::task::spawn_blocking(start.clone()).await.unwrap();
        migrations::run(&primary.connector()).unwrap();
        let database = || async { Database::create().await };
        let app = App::through(database().await, primary.connector(), settings(&[]));
        let susan = app.registered("susan").await;
        let cookie = susan.log_in("susan").await.expect(200).session_cookie();
        drop(app);
        drop(primary);
        let standby = Standby::of(&directory.0).await;
        let primary = tokio::task::spawn_blocking(start).await.unwrap();
        let path = links.0.join(".s.PGSQL.5432");
        let socket = "postgres/run/.s.PGSQL.5432";
        std::os::unix::fs::symlink(directory.0.join(socket), &path).unwrap();
        let proxy = Proxy::start(path.clone(), Line::Good).await;
        let url = format!(
            "postgres://latchkey@127.0.0.1:{}/postgres?sslmode=disable{parameters}",
            proxy.port
        );
        let connector = Connector::from_url(&url).unwrap();
        let app = App::through(database().await, connector, settings(&[]));
        app.wait_for_cache().await;
        Self {
            susan: susan.at(app.address),
            key_hash: KeyHash::of(&cookie[cookie.len() - 64..]),
            app,
            path,
            _proxy: proxy,
            _primary: primary,
            standby,
            _directories: [directory, links],
        }
    }

    /// New connections lead to the standby; those that are open stay.
    fn switch(&self) {
        std::fs::remove_file(&self.path).unwrap();
        let socket = self.standby.directory.0.join("postgres/run/.s.PGSQL.5432");
        std::os::unix::fs::symlink(socket, &self.path).unwrap();
    }
}

#[tokio::test]
async fn what_a_standby_says_is_never_cached() {
    let switched = Switched::start("&target_session_attrs=any").await;
    switched.switch();
    let sessions = &switched.app.services.sessions;
    for _ in 0..3 {
        assert!(switched.susan.is_logged_in().await);
        assert!(sessions.is_open());
        assert!(sessions.get(&switched.key_hash).is_none());
    }
}

#[tokio::test]
async fn by_default_a_standby_is_not_asked() {
    let switched = Switched::start("").await;
    switched.switch();
    let reply = switched.susan.get("/api/me").await;
    reply.refused(503, "database_unavailable");
}
