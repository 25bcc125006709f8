//! The address a request came from, through proxies that are trusted and no others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, USER_AGENT};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::{Ready, ready};
use ipnet::IpNet;

use super::RequestId;
use crate::domain::client::{Client, Devices, USER_AGENT_MAX};
use crate::http::Site;
use crate::http::wire::problem::Problem;

/// Proxies of ours, whose word on where a request came from is believed.
#[derive(Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    /// Somebody else's word was met, and the log told of it.
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

    /// X-Forwarded-For read from right to left: the first address that is no trusted proxy of ours. What stands to
    /// the left of it anyone could have written.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lists: Vec<_> = headers.get_all("x-forwarded-for").collect();
        if !lists.is_empty() && !self.contain(&client) {
            self.warn_once(client);
        }
        let hops = lists.iter().rev().flat_map(|list| {
            list.to_str()
                .unwrap_or("")
                .trim_end_matches([',', ' '])
                .rsplit(',')
        });
        for hop in hops {
            if !self.contain(&client) {
                break;
            }
            let Some(next) = address_of(hop) else {
                break;
            };
            client = next.to_canonical();
        }
        client
    }

    /// Once for each start: anybody can send the header, and shall not fill the log with it.
    fn warn_once(&self, peer: IpAddr) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "X-Forwarded-For is ignored: {peer} is not among LATCHKEY_TRUSTED_PROXIES. If it is your proxy, name it \
                 there, or all people behind it share one address's limits"
            );
        }
    }
}

/// One hop: an address, which some proxies write with a port, in brackets or in quotes (RFC 7239, section 6).
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

impl FromRequest for Client {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let site = request.app_data::<Data<Site>>();
        let devices = site.map(|site| site.cookies.devices(request));
        ready(Ok(Self {
            devices: devices.unwrap_or_default(),
            ..sender(request)
        }))
    }
}

/// The client without its device cookie: for the log.
pub fn sender(request: &HttpRequest) -> Client {
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    let site = request.app_data::<Data<Site>>();
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0);
    let user_agent = request.headers().get(USER_AGENT);
    Client {
        ip: site.map_or(peer, |site| {
            site.trusted_proxies.client(peer, request.headers())
        }),
        user_agent: user_agent.map(|value| printable(value.as_bytes())),
        request_id: request_id.unwrap_or_default(),
        devices: Devices::default(),
    }
}

/// Text that can stand in a log line and a database; what is not UTF-8 is left out.
pub fn printable(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(USER_AGENT_MAX)];
    let valid = cut.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
    valid.filter(|c| !c.is_control()).collect()
}
