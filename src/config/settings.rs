//! All settings, one struct per concern, in the order of `--help`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use url::Url;

use super::app::{AppSettings, Registration};
use super::mail::MailSettings;
use super::passwords::PasswordSettings;
use super::secret_key::SecretKeySettings;
use super::values::{
    Switch, Unrepeated, cores, parse_network, parse_origin, parse_site, parse_time,
};
use crate::auth::services::Policy;
use crate::auth::session::lifetimes::Lifetimes;

// The structs have no doc comments: clap would use those as the description of the command.

#[derive(Args, Clone)]
pub struct Settings {
    #[command(flatten)]
    pub server: ServerSettings,
    #[command(flatten)]
    pub database: DatabaseSettings,
    #[command(flatten)]
    pub secret_key: SecretKeySettings,
    #[command(flatten)]
    pub trust: TrustSettings,
    #[command(flatten)]
    pub app: AppSettings,
    #[command(flatten)]
    pub mail: MailSettings,
    #[command(flatten)]
    pub sessions: SessionSettings,
    #[command(flatten)]
    pub passwords: PasswordSettings,
    #[command(flatten)]
    pub limits: LimitSettings,
    #[command(flatten)]
    pub log: LogSettings,
    #[command(flatten)]
    pub access_log: AccessLogSettings,
}

impl Settings {
    /// The most database connections that this instance opens: those for writing, one for reading per worker, and one
    /// that listens.
    pub fn connections(&self) -> usize {
        usize::from(self.database.db_pool) + self.server.workers() + 1
    }

    pub fn policy(&self) -> Policy {
        Policy {
            password: self.passwords.strength(),
            lifetimes: self.sessions.lifetimes(),
            registration_open: self.app.registration == Registration::Open,
            require_verified_email: self.app.require_verified_email == Switch::On,
            admin_second_factor: self.admin_second_factor(),
            sign_in_notice: self.mail.sign_in_notice(),
        }
    }

    /// The default is on where a stolen password would otherwise be enough to administer a real site.
    pub fn admin_second_factor(&self) -> bool {
        match self.app.admin_second_factor {
            Some(chosen) => chosen == Switch::On,
            None => self.server.is_https(),
        }
    }

    /// Where the pages of the app are.
    pub fn app_url(&self) -> &Url {
        self.app.app_url.as_ref().unwrap_or(&self.server.public_url)
    }

    pub fn app_name(&self) -> String {
        self.app.name_at(self.app_url())
    }
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Server")]
pub struct ServerSettings {
    /// Address to listen on. Port 0 picks a free port.
    #[arg(
        long,
        env = "LATCHKEY_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// URL at which browsers reach this server. With https, cookies are Secure and named __Host-…, and HSTS is on.
    #[arg(
        long,
        env = "LATCHKEY_PUBLIC_URL",
        default_value = "http://localhost:8080",
        value_name = "URL",
        value_parser = Unrepeated(parse_site)
    )]
    pub public_url: Url,

    /// Address for the operator: GET /metrics for Prometheus, /health/live and /health/ready, over plain HTTP and for
    /// anyone who reaches it. Without it nothing is counted.
    #[arg(long, env = "LATCHKEY_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,

    /// Threads that answer requests. The default is one per core.
    #[arg(long, env = "LATCHKEY_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// PostgreSQL server to use: postgres://user:password@host/database, or host:port,host:port for several, of which
    /// Latchkey uses one that accepts writes. sslmode works as in libpq and is prefer by default. Over a network, use
    /// ?sslmode=verify-full, with &sslrootcert=FILE if you have your own CA.
    /// Without it, Latchkey runs a private PostgreSQL in the data directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// Directory of the private PostgreSQL, the generated secret key, and the mails of development.
    #[arg(
        long,
        env = "LATCHKEY_DATA_DIR",
        default_value = ".latchkey",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,

    /// Database connections for writing; those that are idle are closed. Each worker has one more for reading, and one
    /// more listens for changes.
    #[arg(long, env = "LATCHKEY_DB_POOL", default_value = "10", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub db_pool: u16,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Origins and proxies")]
pub struct TrustSettings {
    /// Other origins whose pages may use the API, separated by commas and written out in full: https://app.example
    #[arg(long, env = "LATCHKEY_TRUSTED_ORIGINS", value_delimiter = ',', value_name = "ORIGINS", value_parser = Unrepeated(parse_origin))]
    pub trusted_origins: Vec<String>,

    /// Proxies whose X-Forwarded-For is believed: addresses or networks, separated by commas.
    #[arg(long, env = "LATCHKEY_TRUSTED_PROXIES", value_delimiter = ',', value_name = "NETWORKS", value_parser = parse_network)]
    pub trusted_proxies: Vec<IpNet>,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Sessions")]
pub struct SessionSettings {
    /// A session without remember_me ends after this long without use.
    #[arg(long, env = "LATCHKEY_SESSION_IDLE", default_value = "12h", value_name = "TIME", value_parser = parse_time)]
    pub session_idle: Duration,

    /// A session without remember_me ends this long after the login, used or not.
    #[arg(long, env = "LATCHKEY_SESSION_MAX", default_value = "24h", value_name = "TIME", value_parser = parse_time)]
    pub session_max: Duration,

    /// A session with remember_me ends this long after the login.
    #[arg(long, env = "LATCHKEY_REMEMBER_FOR", default_value = "30days", value_name = "TIME", value_parser = parse_time)]
    pub remember_for: Duration,

    /// How long a password counts as recently entered. Changing the address, exporting the data and deleting the
    /// account ask for that.
    #[arg(long, env = "LATCHKEY_REAUTH_FOR", default_value = "15m", value_name = "TIME", value_parser = parse_time)]
    pub reauth_for: Duration,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Limits")]
pub struct LimitSettings {
    /// Limits against guessing and floods. Turn them off for load tests only.
    #[arg(
        long,
        env = "LATCHKEY_RATE_LIMITS",
        default_value = "on",
        value_name = "on|off"
    )]
    pub rate_limits: Switch,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Log")]
pub struct LogSettings {
    /// Format of the log, which goes to standard error.
    #[arg(
        long,
        env = "LATCHKEY_LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,

    /// What to log, in the filter syntax of tracing: info, latchkey=debug.
    #[arg(
        long,
        env = "LATCHKEY_LOG",
        default_value = "warn,latchkey=info",
        value_name = "FILTER"
    )]
    pub log: String,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Log")]
pub struct AccessLogSettings {
    /// Write a line about each request: method, route, status, milliseconds, request id and address.
    #[arg(
        long,
        env = "LATCHKEY_ACCESS_LOG",
        default_value = "off",
        value_name = "on|off"
    )]
    pub access_log: Switch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

impl ServerSettings {
    pub fn workers(&self) -> usize {
        self.workers.map_or_else(cores, usize::from)
    }

    /// Cookies are Secure only under https, because browsers drop Secure cookies from plain http.
    pub fn is_https(&self) -> bool {
        self.public_url.scheme() == "https"
    }
}

impl SessionSettings {
    pub fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            idle: self.session_idle,
            max: self.session_max,
            remember: self.remember_for,
            reauth: self.reauth_for,
        }
    }
}
