//! The address a request came from, seen through trusted proxies only.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::HeaderMap;
use ipnet::IpNet;

/// Our own proxies, whose X-Forwarded-For is believed.
#[derive(Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    /// Whether the log has warned about the header from an untrusted peer.
    warned: AtomicBool,
}

impl TrustedProxies {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self {
            networks,
            warned: AtomicBool::new(false),
        }
    }

    fn contain(&self, ip: &IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(ip))
    }

    /// Reads X-Forwarded-For from right to left and returns the first address that is not a trusted proxy. Anyone could
    /// have written what is to the left of it.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lists: Vec<_> = headers.get_all("x-forwarded-for").collect();
        if !lists.is_empty() && !self.contain(&client) {
            self.warn_once(client);
        }
        let hops = lists.iter().rev().flat_map(|list| {
            let list = list.as_bytes();
            let last = list.iter().rposition(|byte| !b", ".contains(byte));
            list[..last.map_or(0, |at| at + 1)].rsplit(|byte| *byte == b',')
        });
        for hop in hops {
            if !self.contain(&client) {
                break;
            }
            let Some(next) = str::from_utf8(hop).ok().and_then(address_of) else {
                break;
            };
            client = next.to_canonical();
        }
        client
    }

    /// Once per start: anyone can send the header, and must not be able to fill the log.
    fn warn_once(&self, peer: IpAddr) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "X-Forwarded-For is ignored: {peer} is not in LATCHKEY_TRUSTED_PROXIES. If it is your proxy, add it there; \
                 otherwise everyone behind it shares the limits of one address"
            );
        }
    }
}

/// One hop: an address, which some proxies write with a port, in brackets or in quotes (RFC 7239 section 6).
fn address_of(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let hop = hop
        .strip_prefix('"')
        .and_then(|hop| hop.strip_suffix('"'))
        .unwrap_or(hop);
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
    hop.parse()
        .ok()
        .or_else(|| in_brackets().map(IpAddr::V6))
        .or_else(with_port)
}
