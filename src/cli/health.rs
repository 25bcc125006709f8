//! `latchkey health`: asks a running server how it is, where nothing else can, as in a container without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use ureq::Agent;

use crate::config::{DEFAULT_LISTEN, parse_listen};

/// More than the second that /health/ready may take, less than Docker's patience.
const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Args)]
pub struct HealthArgs {
    /// Ask whether it can serve requests, too: whether the database accepts writes, and no stop is near
    #[arg(long)]
    ready: bool,

    /// Address that the server listens on
    #[arg(
        long,
        env = "LATCHKEY_LISTEN",
        default_value = DEFAULT_LISTEN,
        value_name = "ADDRESS",
        value_parser = parse_listen
    )]
    listen: SocketAddr,
}

pub fn run(args: &HealthArgs) -> anyhow::Result<()> {
    let question = if args.ready { "ready" } else { "live" };
    let url = format!("http://{}/health/{question}", reachable(args.listen));
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(TIMEOUT))
        // The proxy of the environment is for the world outside.
        .proxy(None)
        .build()
        .into();
    let answer = agent.get(&url).call().with_context(|| url.clone())?;
    match answer.status().as_u16() {
        200 if answer.headers().contains_key("x-request-id") => Ok(()),
        200 => bail!("{url}: this is not Latchkey"),
        status => bail!("{url}: {status}"),
    }
}

/// A server that listens on every address is asked on a loopback one.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}
