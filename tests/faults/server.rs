//! The server under test: the real binary with its own PostgreSQL, seen from outside.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

use crate::load::{Caller, log_in, me, register};
use crate::process::{Process, TempDir, command};

pub struct Server {
    pub data: TempDir,
    pub process: Process,
}

impl Server {
    /// Without limits, which would end a flood before it starts.
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(settings: &[(&str, &str)]) -> Self {
        let data = TempDir::new();
        let process = Process::spawn(unlimited(&data.0).envs(settings.iter().copied()));
        Self { data, process }
    }

    pub fn address(&self) -> SocketAddr {
        self.process.address
    }

    pub fn postmaster(&self) -> Option<String> {
        postmaster(&self.data.0)
    }

    /// Resident memory, in MiB.
    pub fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.child.id()));
        let status = status.unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 1024.0
    }

    pub fn sockets(&self) -> PathBuf {
        sockets(&self.data.0)
    }
}

pub fn unlimited(data: &Path) -> Command {
    let mut command = command(data);
    command.env("LATCHKEY_RATE_LIMITS", "off");
    command
}

/// An instance on a database that others may use, too.
pub fn on_database(data: &Path, url: &str) -> Command {
    let mut command = unlimited(data);
    command
        .env("DATABASE_URL", url)
        .env("LATCHKEY_SECRET_KEY", "only-for-faults-0123456789abcdef");
    command
}

pub fn sockets(data: &Path) -> PathBuf {
    data.join("postgres/run")
}

pub fn postmaster(data: &Path) -> Option<String> {
    let file = std::fs::read_to_string(data.join("postgres/data/postmaster.pid")).ok()?;
    file.lines().next().map(str::to_owned)
}

pub fn kill(pid: &str) {
    let _ = Command::new("kill").args(["-9", pid]).status();
}

/// A connection that bypasses Latchkey, like psql.
pub async fn psql(sockets: &Path) -> Option<Client> {
    let mut config = tokio_postgres::Config::new();
    config
        .host_path(sockets)
        .user("latchkey")
        .dbname("postgres");
    let (client, connection) = config.connect(NoTls).await.ok()?;
    tokio::spawn(connection);
    Some(client)
}

/// Registers a user and logs them in; returns the cookie. More than 50 logins evict a user's oldest session, so
/// `/api/me` is tested with another user than the one who keeps logging in.
pub async fn somebody(address: SocketAddr, name: &str) -> String {
    let mut line = Caller::to(address);
    let registered = line.ask(&register(name)).await;
    assert_eq!(registered.status, 201, "{name} could not register");
    cookie(address, name).await
}

/// Logs a user in; returns the cookie.
pub async fn cookie(address: SocketAddr, name: &str) -> String {
    let login = Caller::to(address).ask(&log_in(name)).await;
    assert_eq!(login.status, 200, "{name} could not log in");
    login.cookie.unwrap()
}

pub async fn status_of_me(address: SocketAddr, cookie: &str) -> u16 {
    Caller::to(address).ask(&me(cookie)).await.status
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Asks until the session is over here, too, and returns how long that took from then.
pub async fn until_over(line: &mut Caller, cookie: &str, from: Instant) -> Duration {
    while line.ask(&me(cookie)).await.status != 401 {
        assert!(from.elapsed() < Duration::from_secs(5), "never ended");
    }
    from.elapsed()
}

/// The time until the condition holds, polled every few milliseconds for at most a minute.
pub async fn time_until(condition: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !condition().await {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "not within a minute"
        );
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    began.elapsed()
}
