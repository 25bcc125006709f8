//! Rate limits: how often what may be tried, by whom. They hold over all instances and restarts, and come before the
//! hash, so that a flood costs the attacker more than us.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::Ipv6Net;
use sha2::{Digest, Sha256};

use super::Services;
use super::client::Client;
use super::error::{AuthError, Result};
use super::events::{Kind, record};
use crate::store::rate_limits::{self, Bucket};

/// So many in so long; they may come all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub name: &'static str,
    pub count: u32,
    pub period: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);
const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);

/// A school or an office behind one address logs in at nine o'clock; a guesser wants thousands.
pub const LOGIN: Limit = Limit {
    name: "login",
    count: 30,
    period: MINUTE,
};
/// Several people behind one address may mistype at a time.
pub const FAILED_LOGIN: Limit = Limit {
    name: "failed-login",
    count: 10,
    period: MINUTE,
};
/// Of one person, more than five is guessing (OWASP Authentication Cheat Sheet: count by account too).
pub const FAILED_ACCOUNT: Limit = Limit {
    name: "account",
    count: 5,
    period: FIVE_MINUTES,
};
/// NIST SP 800-63B-4 3.2.2: no more than 100 consecutive failures on an account. Ten years without refill to speak of;
/// a good login starts anew. Name and address are counted apart, so half each.
pub const FAILED_IN_A_ROW: Limit = Limit {
    name: "in-a-row",
    count: 50,
    period: Duration::from_secs(3650 * 86_400),
};
/// The same for a browser that was logged in before, apart from strangers: they cannot lock its owner out.
pub const FAILED_DEVICE: Limit = Limit {
    name: "device",
    count: 5,
    period: FIVE_MINUTES,
};
/// Registrations cost a hash and leave a row.
pub const REGISTER: Limit = Limit {
    name: "register",
    count: 20,
    period: MINUTE,
};
/// Proving the password inside a session: a stolen session must not become a stolen password.
pub const PROOF: Limit = Limit {
    name: "proof",
    count: 5,
    period: FIVE_MINUTES,
};

/// A limit was hit; for the answer's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub limit: Limit,
    pub retry_after: Duration,
}

/// A limit and whom it is about.
#[derive(Debug, Clone)]
pub struct Claim {
    limit: Limit,
    whom: String,
}

impl Claim {
    pub fn new(limit: Limit, whom: impl std::fmt::Display) -> Self {
        Self {
            limit,
            whom: whom.to_string(),
        }
    }

    /// The row's name says nothing of whom it is about.
    fn name(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(self.limit.name);
        hash.update([0]);
        hash.update(&self.whom);
        hash.finalize().to_vec()
    }

    fn bucket(&self) -> Bucket {
        Bucket {
            name: self.name(),
            each: self.limit.period / self.limit.count,
            whole: self.limit.period,
        }
    }
}

/// Takes one of each, or refuses and takes none.
pub async fn take(services: &Services, claims: &[Claim], client: &Client) -> Result<()> {
    if !services.policy.rate_limits {
        return Ok(());
    }
    let buckets: Vec<Bucket> = claims.iter().map(Claim::bucket).collect();
    let taken = services
        .db
        .run(async |conn| rate_limits::take(conn, &buckets).await)
        .await?;
    let refused = claims
        .iter()
        .zip(&buckets)
        .find(|(_, bucket)| !taken.contains(&bucket.name));
    let Some((claim, bucket)) = refused else {
        return Ok(());
    };
    if !taken.is_empty() {
        services
            .db
            .run(async |conn| rate_limits::put_back(conn, &taken).await)
            .await?;
    }
    let state = services
        .db
        .run(async |conn| rate_limits::look(conn, &bucket.name).await)
        .await?;
    let missing = state
        .and_then(|(full_at, now)| (full_at + bucket.each - (now + bucket.whole)).to_std().ok());
    let retry_after = missing.unwrap_or_default();
    record(services, Kind::LimitHit, None, client);
    Err(AuthError::RateLimited(Hit {
        limit: claim.limit,
        retry_after,
    }))
}

/// What was taken for something that turned out well is given back.
pub async fn put_back(services: &Services, claims: &[Claim]) -> Result<()> {
    if services.policy.rate_limits && !claims.is_empty() {
        let names: Vec<_> = claims.iter().map(Claim::name).collect();
        services
            .db
            .run(async |conn| rate_limits::put_back(conn, &names).await)
            .await?;
    }
    Ok(())
}

/// What was counted so far counts no more.
pub async fn forgive(services: &Services, claims: &[Claim]) -> Result<()> {
    let names: Vec<_> = claims.iter().map(Claim::name).collect();
    services
        .db
        .run(async |conn| rate_limits::fill(conn, &names).await)
        .await?;
    Ok(())
}

/// Whom an address stands for: an IPv6 network of 64 bits belongs to one household (RFC 6177).
pub fn network(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            Ipv6Net::new(ip, 64).map_or_else(|_| ip.to_string(), |net| net.trunc().to_string())
        }
    }
}
