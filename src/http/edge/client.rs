//! Who sent a request, as far as the network shows.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT_LANGUAGE, USER_AGENT};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{Ready, ready};

use super::request_id::RequestId;
use crate::domain::client::{Client, Devices, USER_AGENT_MAX};
use crate::domain::locale::Locale;
use crate::http::site::{Site, wired};
use crate::http::wire::problem::Problem;

impl FromRequest for Client {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let site = wired::<Site>(request);
        ready(Ok(Self {
            devices: site.cookies.devices(request.headers()),
            locale: locale(request),
            ..sender(site, request)
        }))
    }
}

/// The client as far as the log shows it.
pub fn sender(site: &Site, request: &HttpRequest) -> Client {
    let peer = request.peer_addr().map(|address| address.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let user_agent = request.headers().get(USER_AGENT);
    Client {
        ip: site.trusted_proxies.client(peer, request.headers()),
        user_agent: user_agent.map(|value| printable(value.as_bytes())),
        request_id: RequestId::of(request).0,
        devices: Devices::default(),
        locale: None,
    }
}

fn locale(request: &HttpRequest) -> Option<Locale> {
    let header = request.headers().get(ACCEPT_LANGUAGE)?;
    Locale::of_header(header.to_str().ok()?)
}

/// Text that is safe in a log line and in the database. Drops control characters and invalid UTF-8.
pub fn printable(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(USER_AGENT_MAX)];
    let valid = cut.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
    valid.filter(|c| !c.is_control()).collect()
}
