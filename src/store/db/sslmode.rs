//! `sslmode` as libpq has it, and what to say when others could read or change what passes over the link.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::config::{Host, SslMode as Way};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::BadUrl;
use super::tls::Check;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        match text {
            "disable" => Ok(Self::Disable),
            "allow" => Ok(Self::Allow),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            other => Err(BadUrl(format!(
                "sslmode={other} is not known; use require or verify-full"
            ))),
        }
    }

    /// What is tried, in this order. `prefer` has a second way for servers that offer TLS and then refuse it.
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

    /// A root certificate is made use of whatever the mode.
    pub fn check(self, has_root: bool) -> Check {
        match self {
            Self::VerifyFull => Check::ChainAndName,
            Self::VerifyCa => Check::Chain,
            _ if has_root => Check::Chain,
            _ => Check::Nothing,
        }
    }
}

/// Another way is not tried where it would only double the load of a server that is full (53) or not up (57).
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

/// That nothing leaves this machine, whichever of its hosts answers.
fn is_local(config: &Config) -> bool {
    let local_name = |name: &str| {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let loopback = name
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback());
        loopback || name == "localhost" || name.ends_with(".localhost")
    };
    // An address given beside a name is the one that is gone to.
    if !config.get_hostaddrs().is_empty() {
        let mut addresses = config.get_hostaddrs().iter();
        return addresses.all(|ip| ip.to_canonical().is_loopback());
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => local_name(name),
    })
}

/// TLS that remembers whether it was used: only our own end of the link knows, for what the server sees may be a
/// pooler's link.
#[derive(Clone)]
pub struct Watched<T> {
    inner: T,
    used: Arc<AtomicBool>,
}

impl<T> Watched<T> {
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            used: Arc::default(),
        }
    }

    pub fn used(&self) -> Arc<AtomicBool> {
        self.used.clone()
    }
}

impl MakeTlsConnect<Socket> for Watched<MakeRustlsConnect> {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = Watched<<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect>;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, Self::Error> {
        // Each host's attempt begins here; an earlier one may have failed after its handshake.
        self.used.store(false, Ordering::Relaxed);
        Ok(Watched {
            inner: MakeTlsConnect::<Socket>::make_tls_connect(&mut self.inner, domain)?,
            used: self.used.clone(),
        })
    }
}

impl<T: TlsConnect<Socket>> TlsConnect<Socket> for Watched<T> {
    type Stream = T::Stream;
    type Error = T::Error;
    type Future = T::Future;

    fn connect(self, stream: Socket) -> Self::Future {
        self.used.store(true, Ordering::Relaxed);
        self.inner.connect(stream)
    }
}

/// Tells the log, once for each reason, that the link to a host that is not local is not safe.
#[derive(Default)]
pub struct Teller {
    clear: AtomicBool,
    unchecked: AtomicBool,
}

impl Teller {
    pub fn connected(&self, config: &Config, encrypted: bool, check: Check) {
        let told = if encrypted {
            &self.unchecked
        } else {
            &self.clear
        };
        let safe = encrypted && check != Check::Nothing;
        if safe || is_local(config) || told.swap(true, Ordering::Relaxed) {
            return;
        }
        let fix = "Set sslmode=verify-full in DATABASE_URL, with sslrootcert=FILE for an authority of your own";
        if encrypted {
            tracing::warn!(
                "the link to the database is encrypted, but it is not checked who answers. {fix}"
            );
        } else {
            tracing::warn!(
                "the database is on another machine and reached in the clear: whoever is on the way can read and \
                 change everything. {fix}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_leave_this_machine_is_local() {
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
