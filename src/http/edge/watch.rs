//! Watches requests for the operator: counts and times them, and writes a line about each.
//!
//! It names routes by their templates and methods by a closed list: nothing that a client makes up reaches a label, and
//! nothing secret in a path or a query reaches the log.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;
use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use strum::VariantArray;

use super::proxies::TrustedProxies;
use super::request_id::RequestId;
use super::templates::Templates;
use crate::http::wire::code::Code;

/// From an answer out of the cache to the longest wait for a hashing thread.
const BUCKETS: [f64; 11] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 4.0,
];
/// Statuses of answers that are no problem.
const FINE: [u16; 7] = [200, 201, 202, 204, 206, 304, 308];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

pub struct Watch {
    templates: Templates,
    meters: Option<Meters>,
    writes_log: bool,
}

/// A request under way.
pub struct Watched {
    route: usize,
    method: usize,
    began: Instant,
    /// For the log.
    ip: Option<IpAddr>,
}

struct Meters {
    requests: Family<RequestLabels, Counter>,
    /// What each route has counted, by method and status. Looking a counter up costs several times as much as counting.
    kept: Vec<Vec<OnceLock<Counter>>>,
    statuses: Vec<u16>,
    seconds: Vec<Histogram>,
}

impl Watch {
    /// `None` if nobody wants to know.
    pub fn new(templates: Templates, registry: Option<&mut Registry>, log: bool) -> Option<Self> {
        let meters = registry.map(|registry| Meters::register(&templates, registry));
        let is_wanted = meters.is_some() || log;
        is_wanted.then_some(Self {
            templates,
            meters,
            writes_log: log,
        })
    }

    pub fn begin(&self, request: &ServiceRequest, proxies: &TrustedProxies) -> Watched {
        // As the router sees it: with escapes resolved that do not need to be any.
        let route = self.templates.find(request.match_info().as_str());
        Watched {
            route,
            method: self.templates.method(route, request.method().as_str()),
            began: Instant::now(),
            ip: self.writes_log.then(|| {
                let peer = request.peer_addr().map(|address| address.ip());
                let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                proxies.client(peer, request.headers())
            }),
        }
    }

    /// Only the answer shows that it was a page: a page may be at any path.
    pub fn found_page(&self, watched: &mut Watched) {
        let place = (watched.route, watched.method);
        (watched.route, watched.method) = self.templates.with_page(place);
    }

    pub fn end(&self, watched: &Watched, status: StatusCode, id: RequestId) {
        let took = watched.began.elapsed().as_secs_f64();
        let (route, method) = self.templates.names(watched.route, watched.method);
        if let Some(meters) = &self.meters {
            meters.seconds[watched.route].observe(took);
            meters.count(watched, status.as_u16(), || (route.to_owned(), method));
        }
        if let Some(ip) = watched.ip {
            let (status, ms) = (status.as_u16(), (took * 1e5).round() / 100.0);
            let request_id = id.0;
            tracing::info!(method, route, status, ms, %ip, %request_id, "request");
        }
    }
}

impl Meters {
    fn register(templates: &Templates, registry: &mut Registry) -> Self {
        let requests = Family::default();
        let seconds =
            Family::<[(&str, String); 1], _, _>::new_with_constructor(buckets as fn() -> _);
        registry.register("http_requests", "Requests answered", requests.clone());
        let help = "From the head of a request to the head of its answer";
        registry.register_with_unit("http_request", help, Unit::Seconds, seconds.clone());
        let mut statuses = FINE.to_vec();
        statuses.extend(Code::VARIANTS.iter().map(|code| code.status().as_u16()));
        statuses.sort_unstable();
        statuses.dedup();
        let routes = templates.all();
        let kept = routes.iter().map(|route| {
            let each = route.methods.len() * statuses.len();
            (0..each).map(|_| OnceLock::new()).collect()
        });
        let by_route =
            |template: &String| seconds.get_or_create_owned(&[("route", template.clone())]);
        Self {
            kept: kept.collect(),
            seconds: routes
                .iter()
                .map(|route| by_route(&route.template))
                .collect(),
            statuses,
            requests,
        }
    }

    fn count(
        &self,
        watched: &Watched,
        status: u16,
        names: impl FnOnce() -> (String, &'static str),
    ) {
        let counter = || {
            let (route, method) = names();
            let labels = RequestLabels {
                route,
                method,
                status,
            };
            self.requests.get_or_create_owned(&labels)
        };
        match self.statuses.binary_search(&status) {
            Ok(at) => {
                let place = watched.method * self.statuses.len() + at;
                self.kept[watched.route][place].get_or_init(counter).inc()
            }
            Err(_) => counter().inc(),
        };
    }
}

fn buckets() -> Histogram {
    Histogram::new(BUCKETS)
}
