//! Settings: read once from flags and environment, checked, and passed down as one value.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use argon2::Params;
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use url::Url;

mod checks;
mod values;

use crate::auth::session::live::Lifetimes;
use crate::domain::strength::Strength;
pub use values::{Unrepeated, parse_site};
use values::{parse_argon2, parse_network, parse_origin, parse_time};

/// OWASP Password Storage Cheat Sheet: argon2id with at least 19 MiB and 2 passes.
const ARGON2_DEFAULT: &str = "m=19456,t=2,p=1";

/// Every setting is a flag and an environment variable; this is what `serve` takes.
#[derive(Args, Clone)]
pub struct Settings {
    #[command(flatten)]
    pub database: DatabaseSettings,

    #[command(flatten)]
    pub passwords: PasswordSettings,

    #[command(flatten)]
    pub log: LogSettings,

    /// Address to listen on; port 0 takes a free one.
    #[arg(
        long,
        env = "LATCHKEY_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// Where browsers reach this server. https turns on Secure cookies with the __Host- prefix and HSTS.
    #[arg(
        long,
        env = "LATCHKEY_PUBLIC_URL",
        default_value = "http://localhost:8080",
        value_name = "URL",
        value_parser = Unrepeated(parse_site)
    )]
    pub public_url: Url,

    /// Signs the cookies: at least 32 random characters, the same on every instance.
    /// Unset with the local database: made once and kept in the data directory.
    #[arg(
        long,
        env = "LATCHKEY_SECRET_KEY",
        hide_env_values = true,
        value_name = "KEY",
        conflicts_with = "secret_key_file"
    )]
    pub secret_key: Option<String>,

    /// A file that holds the secret key.
    #[arg(long, env = "LATCHKEY_SECRET_KEY_FILE", value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,

    /// Other origins whose pages may use the API, comma-separated and exact: https://app.example
    #[arg(long, env = "LATCHKEY_TRUSTED_ORIGINS", value_delimiter = ',', value_name = "ORIGINS", value_parser = Unrepeated(parse_origin))]
    pub trusted_origins: Vec<String>,

    /// Proxies whose X-Forwarded-For is believed, comma-separated addresses or networks.
    #[arg(long, env = "LATCHKEY_TRUSTED_PROXIES", value_delimiter = ',', value_name = "NETWORKS", value_parser = parse_network)]
    pub trusted_proxies: Vec<IpNet>,

    /// Limits against guessing and floods; off for load tests only.
    #[arg(
        long,
        env = "LATCHKEY_RATE_LIMITS",
        default_value = "on",
        value_name = "on|off"
    )]
    pub rate_limits: Switch,

    /// Threads that answer requests. Unset: one for each core.
    #[arg(long, env = "LATCHKEY_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,

    /// A session that is not remembered ends after so long without use.
    #[arg(long, env = "LATCHKEY_SESSION_IDLE", default_value = "12h", value_name = "TIME", value_parser = parse_time)]
    pub session_idle: Duration,

    /// A session that is not remembered ends after so long in any case.
    #[arg(long, env = "LATCHKEY_SESSION_MAX", default_value = "24h", value_name = "TIME", value_parser = parse_time)]
    pub session_max: Duration,

    /// A remembered session ends after so long.
    #[arg(long, env = "LATCHKEY_REMEMBER_FOR", default_value = "30days", value_name = "TIME", value_parser = parse_time)]
    pub remember_for: Duration,

    /// For so long after a password was given, sensitive actions do not ask for it again.
    #[arg(long, env = "LATCHKEY_REAUTH_FOR", default_value = "15m", value_name = "TIME", value_parser = parse_time)]
    pub reauth_for: Duration,
}

#[derive(Args, Clone)]
pub struct DatabaseSettings {
    /// PostgreSQL to use: postgres://user:password@host/database. sslmode is libpq's, prefer by default; over a network
    /// use ?sslmode=verify-full, with &sslrootcert=FILE for an authority of your own.
    /// Unset: a private local PostgreSQL in the data directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// Where the local PostgreSQL and the generated key are kept.
    #[arg(
        long,
        env = "LATCHKEY_DATA_DIR",
        default_value = ".latchkey",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,

    /// Connections to the database for writing; each worker has one more for reading.
    #[arg(long, env = "LATCHKEY_DB_POOL", default_value = "10", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub db_pool: u16,
}

#[derive(Args, Clone)]
pub struct PasswordSettings {
    /// argon2id parameters: memory in KiB, passes, lanes.
    #[arg(long, env = "LATCHKEY_ARGON2", default_value = ARGON2_DEFAULT, value_name = "PARAMS", value_parser = parse_argon2)]
    pub argon2: Params,

    /// Threads that hash passwords. Unset: one for each core.
    #[arg(long, env = "LATCHKEY_HASH_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub hash_workers: Option<u16>,

    /// Least length of a new password, in characters. NIST SP 800-63B-4 asks for 15 where the password is all there is.
    #[arg(long, env = "LATCHKEY_PASSWORD_MIN_LENGTH", default_value = "8", value_name = "N", value_parser = clap::value_parser!(u16).range(8..=64))]
    pub password_min_length: u16,

    /// Least strength of a new password as zxcvbn estimates it, 0 to 4.
    #[arg(long, env = "LATCHKEY_PASSWORD_MIN_SCORE", default_value = "2", value_name = "SCORE", value_parser = clap::value_parser!(u8).range(0..=4))]
    pub password_min_score: u8,
}

#[derive(Args, Clone)]
pub struct LogSettings {
    /// How log lines look.
    #[arg(
        long,
        env = "LATCHKEY_LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,

    /// What is logged, in tracing's filter syntax: info, latchkey=debug.
    #[arg(
        long,
        env = "LATCHKEY_LOG",
        default_value = "warn,latchkey=info,actix_session=error,actix_http=off",
        value_name = "FILTER"
    )]
    pub log: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

impl PasswordSettings {
    pub fn strength(&self) -> Strength {
        Strength {
            min_length: usize::from(self.password_min_length),
            min_score: self.password_min_score,
        }
    }

    pub fn hash_workers(&self) -> usize {
        self.hash_workers.map_or_else(cores, usize::from)
    }

    /// What hashing holds at most, in bytes: each worker has one buffer.
    pub fn hash_memory(&self) -> u64 {
        self.hash_workers() as u64 * u64::from(self.argon2.m_cost()) * 1024
    }
}

impl Settings {
    pub fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            idle: self.session_idle,
            max: self.session_max,
            remember: self.remember_for,
            reauth: self.reauth_for,
        }
    }

    pub fn workers(&self) -> usize {
        self.workers.map_or_else(cores, usize::from)
    }

    /// Cookies need https, or a browser would not keep them apart from those of plain http.
    pub fn is_https(&self) -> bool {
        self.public_url.scheme() == "https"
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}
