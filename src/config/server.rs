//! Settings for where Latchkey listens, and where browsers reach it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use url::Url;

use super::values::{Unrepeated, cores, parse_listen, parse_site};

pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

#[derive(Args, Clone)]
#[command(next_help_heading = "Server")]
pub struct ServerSettings {
    /// Address to listen on. A port alone means this machine only. Port 0 picks a free port.
    #[arg(
        long,
        env = "LATCHKEY_LISTEN",
        default_value = DEFAULT_LISTEN,
        value_name = "ADDRESS",
        value_parser = parse_listen
    )]
    pub listen: SocketAddr,

    /// URL at which browsers reach this server. With https, cookies are Secure and named __Host-…, and HSTS is on. The
    /// default is http://localhost with the port that Latchkey listens on, or the address of LATCHKEY_LISTEN if localhost
    /// does not lead there.
    #[arg(long, env = "LATCHKEY_PUBLIC_URL", value_name = "URL", value_parser = Unrepeated(parse_site))]
    public_url: Option<Url>,

    /// Address for the operator: GET /metrics for Prometheus, /health/live and /health/ready, over plain HTTP and for
    /// anyone who reaches it. Without it nothing is counted.
    #[arg(long, env = "LATCHKEY_METRICS_LISTEN", value_name = "ADDRESS", value_parser = parse_listen)]
    pub metrics_listen: Option<SocketAddr>,

    /// Threads that answer requests. The default is one per core.
    #[arg(long, env = "LATCHKEY_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
}

impl ServerSettings {
    pub fn workers(&self) -> usize {
        self.workers.map_or_else(cores, usize::from)
    }

    /// Cookies are Secure only under https, because browsers drop Secure cookies from plain http.
    pub fn is_https(&self) -> bool {
        self.public_url().scheme() == "https"
    }

    #[expect(clippy::expect_used, reason = "every port makes a valid URL")]
    pub fn public_url(&self) -> Url {
        let ip = self.listen.ip();
        let is_localhost =
            ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST;
        let here = || match is_localhost {
            true => Url::parse(&format!("http://localhost:{}", self.listen.port())),
            false => Url::parse(&format!("http://{}", self.listen)),
        };
        let set = self.public_url.clone();
        set.unwrap_or_else(|| here().expect("a valid URL"))
    }
}
