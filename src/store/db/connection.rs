//! Opens one connection to the database, with or without TLS.

use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::bad_url::BadUrl;
use super::hosts::LastGood;
use super::sslmode::{Check, LinkWarnings, SslMode, another_way_may_help, is_unix_only};
use super::tls::{self, Watched};
use super::url::DatabaseUrl;

/// How long one connection attempt may take. With the wait for the pool and the statement added, a response still comes
/// within 3 s (SECURITY R3).
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(900);

/// How long one statement may take. The server enforces it, and the client too in case the network is dead.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_millis(1400);

/// Everything needed to open a connection, parsed once.
#[derive(Clone)]
pub struct Connector {
    /// One for each host.
    hosts: Vec<tokio_postgres::Config>,
    last_good: Arc<LastGood>,
    mode: SslMode,
    check: Check,
    tls: MakeRustlsConnect,
    warnings: Arc<LinkWarnings>,
}

type Link = tokio_postgres::Connection<
    Socket,
    <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream,
>;

impl Connector {
    /// A server on a unix socket in `directory`, without TLS.
    pub fn unix_socket(directory: &Path, user: &str, database: &str) -> Result<Self, BadUrl> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(directory).user(user).dbname(database);
        Self::new(vec![config], SslMode::Disable, None)
    }

    /// The server that a `DATABASE_URL` names.
    pub fn from_url(text: &str) -> Result<Self, BadUrl> {
        let url = DatabaseUrl::parse(text)?;
        Self::new(url.hosts, url.mode, url.root.as_deref())
    }

    fn new(
        mut hosts: Vec<tokio_postgres::Config>,
        mode: SslMode,
        root: Option<&Path>,
    ) -> Result<Self, BadUrl> {
        for config in &mut hosts {
            config
                .application_name("latchkey")
                .connect_timeout(CONNECT_TIMEOUT)
                .keepalives_idle(Duration::from_secs(15));
        }
        let check = match mode {
            SslMode::Disable => Check::Nothing,
            _ if hosts.iter().all(is_unix_only) => Check::Nothing,
            mode => mode.check(root.is_some()),
        };
        Ok(Self {
            hosts,
            last_good: Arc::default(),
            mode,
            check,
            tls: tls::client(check, root)?,
            warnings: Arc::default(),
        })
    }

    /// Another database on the same server.
    pub fn with_database(&self, database: &str) -> Self {
        let mut other = self.clone();
        for config in &mut other.hosts {
            config.dbname(database);
        }
        other
    }

    /// Which hosts it leads to, for people.
    pub fn shown(&self) -> String {
        let of_host = |config: &tokio_postgres::Config| {
            let ports = config.get_ports().iter().chain(std::iter::repeat(&5432));
            let shown = config.get_hosts().iter().zip(ports);
            let shown = shown.map(|(host, port)| match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => path.display().to_string(),
            });
            shown.collect::<Vec<_>>().join(", ")
        };
        let hosts: Vec<_> = self.hosts.iter().map(of_host).collect();
        format!("the database at {}", hosts.join(", "))
    }

    /// Opens a connection for diesel, with the statement timeout set.
    pub async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let attempt = async {
            let mut conn = self.connect_without_limits().await?;
            let setup = format!("set statement_timeout = {}", STATEMENT_TIMEOUT.as_millis());
            conn.batch_execute(&setup)
                .await
                .map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(conn)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, attempt)
            .await
            .unwrap_or_else(|_| Err(bad_connection("the database did not answer in time")))
    }

    /// Opens a connection without a statement timeout, for migrations.
    pub async fn connect_without_limits(&self) -> ConnectionResult<AsyncPgConnection> {
        let (client, connection) = self.open().await.map_err(|e| bad_connection(&e))?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await
    }

    /// Opens a connection that forwards its notifications. Also returns the task that drives it.
    pub async fn connect_listening(
        &self,
        notifications: UnboundedSender<String>,
    ) -> Result<(tokio_postgres::Client, JoinHandle<()>), String> {
        let mut named = self.clone();
        for config in &mut named.hosts {
            config.application_name("latchkey listener");
        }
        let (client, connection) = named.open().await?;
        Ok((client, tokio::spawn(forward(connection, notifications))))
    }

    /// Opens a connection on which nothing is set or prepared. Also returns the task that drives it.
    pub async fn connect_plainly(
        &self,
    ) -> ConnectionResult<(tokio_postgres::Client, JoinHandle<()>)> {
        let (client, connection) = self.open().await.map_err(|e| bad_connection(&e))?;
        let driver = async { drop(connection.await) };
        Ok((client, tokio::spawn(driver)))
    }

    async fn open(&self) -> Result<(tokio_postgres::Client, Link), String> {
        let share = CONNECT_TIMEOUT / u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        let open = |host: usize| self.try_all_ways(&self.hosts[host]);
        let opened = self.last_good.open(self.hosts.len(), share, open);
        tokio::time::timeout(CONNECT_TIMEOUT, opened)
            .await
            .unwrap_or_else(|_| Err("the database did not answer in time".to_owned()))
    }

    async fn try_all_ways(
        &self,
        host: &tokio_postgres::Config,
    ) -> Result<(tokio_postgres::Client, Link), String> {
        let mode = if is_unix_only(host) {
            SslMode::Disable
        } else {
            self.mode
        };
        let mut failures = Vec::new();
        for way in mode.ways() {
            let mut config = host.clone();
            config.ssl_mode(*way);
            let tls = Watched::new(self.tls.clone());
            let used = tls.used();
            match config.connect(tls).await {
                Ok(opened) => {
                    let encrypted = used.load(Ordering::Relaxed);
                    self.warnings.connected(&config, encrypted, self.check);
                    return Ok(opened);
                }
                Err(error) => {
                    failures.push(describe(&error));
                    if !another_way_may_help(&error) {
                        break;
                    }
                }
            }
        }
        failures.dedup();
        Err(failures.join("; the second attempt: "))
    }
}

/// Drives a connection until it ends. Dropping the sender then tells the receiver.
async fn forward(mut connection: Link, notifications: UnboundedSender<String>) {
    while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
        if let AsyncMessage::Notification(notification) = message
            && notifications
                .send(notification.payload().to_owned())
                .is_err()
        {
            return;
        }
    }
}

fn bad_connection(why: &str) -> ConnectionError {
    ConnectionError::BadConnection(why.to_owned())
}

/// tokio-postgres hides the reason in the source chain, and PostgreSQL does not say what to do about it.
fn describe(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) {
        text.push_str(
            ". Lower LATCHKEY_DB_POOL on all instances, or raise PostgreSQL's max_connections",
        );
    }
    text
}
