//! `sslmode` as in libpq, and warnings about a link that others could read or change.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode as Way};

/// How much of the server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing: the traffic is encrypted, but the server could be anyone.
    Nothing,
    /// A trusted authority must have signed it, for any host.
    Chain,
    /// A trusted authority must have signed it for this host.
    ChainAndName,
}

/// As in libpq (PostgreSQL manual, "SSL Mode Descriptions"). Up to `require`, nothing verifies the server unless
/// `sslrootcert` is given. `verify-ca` and `verify-full` use the system's roots without `sslrootcert`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only if the server refuses anything else.
    Allow,
    /// TLS if the server supports it.
    Prefer,
    /// TLS or nothing.
    Require,
    /// The certificate must come from a trusted authority.
    VerifyCa,
    /// And it must be for this host.
    VerifyFull,
}

impl SslMode {
    /// What to try, in order. `prefer` retries without TLS if the server offers TLS and then refuses it.
    pub fn ways(self) -> &'static [Way] {
        match self {
            Self::Disable => &[Way::Disable],
            Self::Allow => &[Way::Disable, Way::Require],
            Self::Prefer => &[Way::Prefer, Way::Disable],
            Self::Require | Self::VerifyCa | Self::VerifyFull => &[Way::Require],
        }
    }

    pub fn may_be_clear(self) -> bool {
        self.ways() != [Way::Require]
    }

    /// A root certificate is used in every mode.
    pub fn check(self, has_root: bool) -> Check {
        match self {
            Self::VerifyFull => Check::ChainAndName,
            Self::VerifyCa => Check::Chain,
            _ if has_root => Check::Chain,
            _ => Check::Nothing,
        }
    }
}

/// Whether another attempt makes sense. It would only double the load of a server that is out of resources (SQLSTATE
/// class 53) or not available (57).
pub fn another_way_may_help(error: &tokio_postgres::Error) -> bool {
    !error
        .code()
        .is_some_and(|state| state.code().starts_with("53") || state.code().starts_with("57"))
}

/// PostgreSQL has no TLS on unix sockets.
pub fn is_unix_only(config: &Config) -> bool {
    config.get_hostaddrs().is_empty()
        && config
            .get_hosts()
            .iter()
            .all(|host| matches!(host, Host::Unix(_)))
}

/// Whether all traffic stays on this machine, whichever host answers.
fn is_local(config: &Config) -> bool {
    let local_name = |name: &str| {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let loopback = name
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback());
        loopback || name == "localhost" || name.ends_with(".localhost")
    };
    // If an address is given next to a name, the connection goes to the address.
    if !config.get_hostaddrs().is_empty() {
        let mut addresses = config.get_hostaddrs().iter();
        return addresses.all(|ip| ip.to_canonical().is_loopback());
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => local_name(name),
    })
}

/// Warns once per reason that the link to a remote host is not safe.
#[derive(Default)]
pub struct LinkWarnings {
    clear: AtomicBool,
    unchecked: AtomicBool,
}

impl LinkWarnings {
    pub fn connected(&self, config: &Config, encrypted: bool, check: Check) {
        let warned = if encrypted {
            &self.unchecked
        } else {
            &self.clear
        };
        let safe = encrypted && check != Check::Nothing;
        if safe || is_local(config) || warned.swap(true, Ordering::Relaxed) {
            return;
        }
        let fix =
            "Set sslmode=verify-full in DATABASE_URL, and sslrootcert=FILE if you have your own CA";
        if encrypted {
            tracing::warn!(
                "the connection to the database is encrypted, but nothing verifies which server answers. {fix}"
            );
        } else {
            tracing::warn!(
                "the connection to the database on another machine is not encrypted: anyone on the network path can \
                 read and change everything. {fix}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_local_only_if_it_cannot_leave_this_machine() {
        let is_local = |url: &str| is_local(&url.parse().unwrap());
        for local in [
            "postgres://localhost/x",
            "postgres://LOCALHOST./x",
            "postgres://db.localhost/x",
            "postgres://127.0.0.1/x",
            "postgres://127.8.9.1:5433/x",
            "postgres://[::1]/x",
            "postgres:///x?host=/run/postgresql",
            "postgres://localhost,127.0.0.1/x?host=/run/postgresql",
            "postgres://db.example/x?hostaddr=127.0.0.1",
        ] {
            assert!(is_local(local), "{local}");
        }
        for remote in [
            "postgres://db.example/x",
            "postgres://10.0.0.1/x",
            "postgres://0.0.0.0/x",
            "postgres://192.168.1.2/x",
            "postgres://[2001:db8::1]/x",
            "postgres://localhost.example/x",
            "postgres://127.0.0.1.example/x",
            "postgres://localhost,db.example/x",
            "postgres://localhost/x?hostaddr=192.0.2.1",
        ] {
            assert!(!is_local(remote), "{remote}");
        }
    }
}
