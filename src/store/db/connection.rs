//! Where the database is and how to reach it: the URL, TLS, and one new connection.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslNegotiation;
use tokio_postgres::{AsyncMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::sslmode::{SslMode, Teller, Watched, another_way_may_help, is_unix_only};
use super::tls::{self, Check};

/// How long one connection attempt may take. With the wait for a place in the pool and the statement itself an
/// answer still comes within 3 s (SECURITY R3).
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(900);

/// How long one statement may take, enforced by the server and, should the network be dead, by the client.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_millis(1400);

/// Everything needed to open a connection, parsed once.
#[derive(Clone)]
pub struct Connector {
    config: tokio_postgres::Config,
    mode: SslMode,
    check: Check,
    tls: MakeRustlsConnect,
    teller: Arc<Teller>,
}

type Link = tokio_postgres::Connection<
    Socket,
    <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream,
>;

/// Why a `DATABASE_URL` cannot be used; the text says how to mend it.
#[derive(Debug)]
pub struct BadUrl(pub String);

impl std::fmt::Display for BadUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DATABASE_URL: {}", self.0)
    }
}

impl std::error::Error for BadUrl {}

impl Connector {
    /// A server on a unix socket in `directory`, without TLS.
    pub fn unix_socket(directory: &Path, user: &str, database: &str) -> Result<Self, BadUrl> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(directory).user(user).dbname(database);
        Self::new(config, SslMode::Disable, None)
    }

    /// `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`
    ///
    /// `sslmode` means what it means to libpq. `disable` never uses TLS; `allow` does if the server refuses without;
    /// `prefer`, the default, does if the server has it; `require` insists. These do not check who answers, unless
    /// `sslrootcert` is given: then a certificate must come from there. `verify-ca` checks that always, against the
    /// system's roots without `sslrootcert`, and `verify-full` checks the host's name too. Unix sockets have no TLS.
    pub fn from_url(text: &str) -> Result<Self, BadUrl> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        if !base.starts_with("postgres://") && !base.starts_with("postgresql://") {
            let wanted = "expected postgres://user:password@host/database";
            return Err(BadUrl(wanted.to_owned()));
        }
        let mut mode = SslMode::Prefer;
        let mut root: Option<PathBuf> = None;
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            match key {
                "sslmode" => mode = SslMode::parse(&value)?,
                "sslrootcert" => root = Some(PathBuf::from(&*value)),
                _ => rest.push(pair),
            }
        }
        let bare = format!("{base}?{}", rest.join("&"));
        let bare = bare.trim_end_matches('?');
        let config: tokio_postgres::Config = bare.parse().map_err(|e| BadUrl(format!("{e}")))?;
        if config.get_ssl_negotiation() == SslNegotiation::Direct && mode.may_be_clear() {
            let wanted = "sslnegotiation=direct needs sslmode=require or verify-full";
            return Err(BadUrl(wanted.to_owned()));
        }
        Self::new(config, mode, root.as_deref())
    }

    fn new(
        mut config: tokio_postgres::Config,
        mode: SslMode,
        root: Option<&Path>,
    ) -> Result<Self, BadUrl> {
        config
            .application_name("latchkey")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(Duration::from_secs(15));
        let mode = if is_unix_only(&config) {
            SslMode::Disable
        } else {
            mode
        };
        let check = match mode {
            SslMode::Disable => Check::Nothing,
            mode => mode.check(root.is_some()),
        };
        Ok(Self {
            config,
            mode,
            check,
            tls: tls::client(check, root)?,
            teller: Arc::default(),
        })
    }

    /// The same server, another database on it.
    pub fn with_database(&self, database: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(database);
        other
    }

    /// Opens a connection for diesel, with the statement time-out set.
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

    /// Opens a connection whose statements may take as long as they need: for migrations.
    pub async fn connect_without_limits(&self) -> ConnectionResult<AsyncPgConnection> {
        let (client, connection) = self.open().await.map_err(|e| bad_connection(&e))?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await
    }

    /// Opens a connection that passes on what it is notified of, with the task that drives it.
    pub async fn connect_listening(
        &self,
        notifications: UnboundedSender<String>,
    ) -> Result<(tokio_postgres::Client, JoinHandle<()>), String> {
        let (client, connection) = self.open().await?;
        Ok((client, tokio::spawn(pass_on(connection, notifications))))
    }

    async fn open(&self) -> Result<(tokio_postgres::Client, Link), String> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.try_all_ways())
            .await
            .unwrap_or_else(|_| Err("the database did not answer in time".to_owned()))
    }

    async fn try_all_ways(&self) -> Result<(tokio_postgres::Client, Link), String> {
        let mut failures = Vec::new();
        for way in self.mode.ways() {
            let mut config = self.config.clone();
            config.ssl_mode(*way);
            let tls = Watched::new(self.tls.clone());
            let used = tls.used();
            match config.connect(tls).await {
                Ok(opened) => {
                    let encrypted = used.load(Ordering::Relaxed);
                    self.teller.connected(&config, encrypted, self.check);
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
        Err(failures.join("; the other way: "))
    }
}

/// Drives a connection until it ends; the receiver notices that by the dropped sender.
async fn pass_on(mut connection: Link, notifications: UnboundedSender<String>) {
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

/// tokio-postgres hides the reason in the source chain.
fn describe(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
