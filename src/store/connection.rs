//! Where the database is and how to reach it: the URL, TLS, and one new connection.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::tls;

/// How long one connection attempt may take. With the wait for a place in the pool and the statement itself an
/// answer still comes within 3 s (SECURITY R3).
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(900);

/// How long one statement may take, enforced by the server and, should the network be dead, by the client.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_millis(1400);

/// Everything needed to open a connection, parsed once.
#[derive(Clone)]
pub struct Connector {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    /// `sslmode=require` without `sslrootcert`: encrypted, but the server could be anyone.
    pub unverified: bool,
}

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
    pub fn unix_socket(directory: &Path, user: &str, database: &str) -> Self {
        let mut config = tokio_postgres::Config::new();
        config.host_path(directory).user(user).dbname(database);
        Self::new(config, None, false)
    }

    /// `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`
    ///
    /// `sslmode` means what it means to libpq: `require` encrypts, and verifies only when `sslrootcert` is given;
    /// `verify-ca` and `verify-full` verify the chain and the host name against `sslrootcert` or the system's roots.
    pub fn from_url(text: &str) -> Result<Self, BadUrl> {
        let mut url = Url::parse(text).map_err(|e| {
            BadUrl(format!(
                "{e}; expected postgres://user:password@host/database"
            ))
        })?;
        let mut mode = String::from("prefer");
        let mut root: Option<PathBuf> = None;
        let mut rest = Vec::new();
        for (key, value) in url.query_pairs() {
            match &*key {
                "sslmode" => mode = value.into_owned(),
                "sslrootcert" => root = Some(PathBuf::from(&*value)),
                _ => rest.push((key.into_owned(), value.into_owned())),
            }
        }
        let verify = match mode.as_str() {
            "disable" | "prefer" | "allow" => None,
            "require" => Some(root.is_some()),
            "verify-ca" | "verify-full" => Some(true),
            other => {
                return Err(BadUrl(format!(
                    "sslmode={other} is not known; use require or verify-full"
                )));
            }
        };
        url.set_query(None);
        if !rest.is_empty() {
            url.query_pairs_mut().extend_pairs(rest);
        }
        let mut config: tokio_postgres::Config =
            url.as_str().parse().map_err(|e| BadUrl(format!("{e}")))?;
        config.ssl_mode(match verify {
            Some(_) => tokio_postgres::config::SslMode::Require,
            None => tokio_postgres::config::SslMode::Disable,
        });
        let tls = verify
            .map(|verify| tls::client(verify, root.as_deref()))
            .transpose()?;
        Ok(Self::new(config, tls, verify == Some(false)))
    }

    fn new(
        mut config: tokio_postgres::Config,
        tls: Option<MakeRustlsConnect>,
        unverified: bool,
    ) -> Self {
        config
            .application_name("latchkey")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(Duration::from_secs(15));
        Self {
            config,
            tls,
            unverified,
        }
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
        let failed = |e: tokio_postgres::Error| bad_connection(&describe(&e));
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(failed)?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
            Some(tls) => {
                let (client, connection) =
                    self.config.connect(tls.clone()).await.map_err(failed)?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
        }
    }

    /// Opens a connection that passes on what it is notified of, with the task that drives it.
    pub async fn connect_listening(
        &self,
        notifications: UnboundedSender<String>,
    ) -> Result<(tokio_postgres::Client, JoinHandle<()>), String> {
        let attempt = async {
            let config = &self.config;
            match &self.tls {
                None => {
                    let (client, connection) =
                        config.connect(NoTls).await.map_err(|e| describe(&e))?;
                    Ok((client, tokio::spawn(pass_on(connection, notifications))))
                }
                Some(tls) => {
                    let (client, connection) = config
                        .connect(tls.clone())
                        .await
                        .map_err(|e| describe(&e))?;
                    Ok((client, tokio::spawn(pass_on(connection, notifications))))
                }
            }
        };
        let timed_out = |_| Err("the database did not answer in time".to_owned());
        tokio::time::timeout(CONNECT_TIMEOUT, attempt)
            .await
            .unwrap_or_else(timed_out)
    }
}

/// Drives a connection until it ends; the receiver notices that by the dropped sender.
async fn pass_on<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    notifications: UnboundedSender<String>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
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
