//! Which URLs browsers treat as one site, and which as this machine.

use url::{Host, Url};

/// Schemefully same-site (HTML standard, "same site"): same scheme and registrable domain. Ports do not matter.
pub fn is_same_site(one: &Url, other: &Url) -> bool {
    let same_host = one.host() == other.host();
    let same_domain =
        || registrable_domain(one).is_some_and(|domain| registrable_domain(other) == Some(domain));
    one.scheme() == other.scheme() && (same_host || same_domain())
}

/// Per the Public Suffix List: example.co.uk for login.example.co.uk. `None` for IP addresses and for suffixes
/// themselves.
fn registrable_domain(url: &Url) -> Option<&str> {
    match url.host()? {
        Host::Domain(name) => psl::domain_str(name),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// Loopback: traffic that never leaves the machine needs no TLS (W3C Secure Contexts 3.1).
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
