//! Rate limits: how often what may be tried, by whom. They hold over all instances and restarts, and come before the
//! hash, so that a flood costs the attacker more than us.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sha2::{Digest, Sha256};

use super::Services;
use super::error::{AuthError, Result};
use super::events::{Noted, repeated};
use crate::domain::client::Client;
use crate::store::rate_limits::{self, Bucket};

pub mod failures;
pub mod table;

pub use table::Limit;

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
    if services.policy.limits.is_none() {
        return Ok(());
    }
    let buckets: Vec<Bucket> = claims.iter().map(Claim::bucket).collect();
    let answers = services
        .db
        .run(async |conn| rate_limits::take(conn, &buckets).await)
        .await?;
    let empty = answers.iter().any(|answer| answer.missing.is_some());
    let missing = |bucket: &Bucket| {
        let answer = answers.iter().find(|answer| answer.name == bucket.name)?;
        let refused = !answer.taken && (answer.missing.is_some() || !empty);
        refused.then(|| answer.missing.unwrap_or(bucket.each))
    };
    let refused = claims.iter().zip(&buckets);
    let refused = refused
        .filter_map(|(claim, bucket)| Some((missing(bucket)?, claim, bucket)))
        .max_by_key(|(missing, ..)| *missing);
    let Some((retry_after, claim, bucket)) = refused else {
        return Ok(());
    };
    // Two who met at a new bucket: what one of them got of the others goes back.
    let taken: Vec<_> = answers
        .iter()
        .filter(|answer| answer.taken)
        .map(|answer| answer.name.clone())
        .collect();
    if !taken.is_empty() {
        services
            .db
            .run(async |conn| rate_limits::settle(conn, &taken, &[]).await)
            .await?;
    }
    let noted = || Noted::limit(claim.limit.name, client);
    repeated(services, &bucket.name, noted);
    Err(AuthError::RateLimited(Hit {
        limit: claim.limit,
        retry_after,
    }))
}

/// What was taken for something that turned out well is given back, and what was counted so far counts no more.
pub async fn settle(services: &Services, put_back: &[Claim], forgiven: &[Claim]) -> Result<()> {
    if services.policy.limits.is_some() && !(put_back.is_empty() && forgiven.is_empty()) {
        let names = |claims: &[Claim]| claims.iter().map(Claim::name).collect::<Vec<_>>();
        let (mut put_back, forgiven) = (names(put_back), names(forgiven));
        put_back.retain(|name| !forgiven.contains(name));
        services
            .db
            .run(async |conn| rate_limits::settle(conn, &put_back, &forgiven).await)
            .await?;
    }
    Ok(())
}

/// The operator's word: what was counted so far counts no more, also where limits are off.
pub async fn forgive(services: &Services, claims: &[Claim]) -> Result<()> {
    let names: Vec<_> = claims.iter().map(Claim::name).collect();
    services
        .db
        .run(async |conn| rate_limits::settle(conn, &[], &names).await)
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

/// Where somebody is at home, roughly: an IPv4 network of 24 bits, as providers hand addresses around in them, an IPv6
/// network of 64.
pub fn neighbourhood(ip: IpAddr) -> IpNet {
    let network = match ip {
        IpAddr::V4(ip) => Ipv4Net::new(ip, 24).map(|net| net.trunc().into()),
        IpAddr::V6(ip) => Ipv6Net::new(ip, 64).map(|net| net.trunc().into()),
    };
    network.unwrap_or_else(|_| IpNet::from(ip))
}
