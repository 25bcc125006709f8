//! The address a request came from, through proxies that are trusted and no others.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, USER_AGENT};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::{Ready, ready};
use ipnet::IpNet;

use super::Site;
use super::edge::RequestId;
use super::problem::Problem;
use crate::auth::client::Client;

impl FromRequest for Client {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let peer = request
            .peer_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
        let site = request.app_data::<Data<Site>>();
        let trusted = site.map_or(&[][..], |site| &site.trusted_proxies);
        let request_id = request.extensions().get::<RequestId>().map(|id| id.0);
        let user_agent = request.headers().get(USER_AGENT);
        ready(Ok(Self {
            ip: address(peer, request.headers(), trusted),
            user_agent: user_agent.map(|value| printable(value.as_bytes())),
            request_id: request_id.unwrap_or_default(),
            device: site.and_then(|site| site.cookies.known_device(request)),
        }))
    }
}

/// X-Forwarded-For read from right to left: the first address that is no trusted proxy of ours. What stands to the
/// left of it anyone could have written.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|network| network.contains(ip));
    let mut client = peer.to_canonical();
    let lists: Vec<_> = headers.get_all("x-forwarded-for").collect();
    let hops = lists
        .iter()
        .rev()
        .flat_map(|list| list.to_str().unwrap_or("").rsplit(','));
    for hop in hops {
        if !is_trusted(&client) {
            break;
        }
        let Ok(next) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        client = next.to_canonical();
    }
    client
}

/// Text that can stand in a log line and a database.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}
