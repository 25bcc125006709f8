//! All settings, one struct per concern, in the order of `--help`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use url::Url;

use super::app::{AppSettings, Registration};
use super::database::DatabaseSettings;
use super::mail::MailSettings;
use super::passkeys::NoPasskeys;
use super::passwords::PasswordSettings;
use super::secret_key::SecretKeySettings;
use super::server::ServerSettings;
use super::values::{
    Switch, Unrepeated, parse_network, parse_origin, parse_time, parse_time_or_never,
};
use crate::auth::services::Policy;
use crate::auth::session::lifetimes::Lifetimes;
use crate::domain::rp_id::RpId;

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
            trust_device_for: self.sessions.trust_device_for,
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
    pub fn app_url(&self) -> Url {
        let elsewhere = self.app.app_url.clone();
        elsewhere.unwrap_or_else(|| self.server.public_url())
    }

    /// Whose pages may use the API: our own origin first.
    pub fn origins(&self) -> Vec<Url> {
        let trusted = self.trust.trusted_origins.iter();
        let trusted = trusted.filter_map(|text| Url::parse(text).ok());
        let ours = self.server.public_url();
        [ours].into_iter().chain(trusted).collect()
    }

    /// The domain that passkeys belong to, if there are any.
    pub fn passkeys(&self) -> Result<RpId, NoPasskeys> {
        let settings = &self.app.passkeys;
        settings.domain(&self.app_url(), &self.origins())
    }

    pub fn app_name(&self) -> String {
        self.app.name_at(&self.app_url())
    }

    /// These settings once the address is bound: port 0 has become a real one, and the default public URL has it too.
    pub fn bound_to(&self, address: SocketAddr) -> Self {
        let mut bound = self.clone();
        bound.server.listen = address;
        bound
    }
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

    /// How long a proof of who somebody is counts as recent. Changing the address, the second factor or the passkeys,
    /// exporting the data, deleting the account and administering ask for one.
    #[arg(long, env = "LATCHKEY_REAUTH_FOR", default_value = "15m", value_name = "TIME", value_parser = parse_time)]
    pub reauth_for: Duration,

    /// In a browser that somebody chose to trust, logins need no second factor for this long. 0 means that no browser is
    /// trusted.
    #[arg(long, env = "LATCHKEY_TRUST_DEVICE_FOR", default_value = "30days", value_name = "TIME", value_parser = parse_time_or_never)]
    pub trust_device_for: Duration,
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
