//! Rate limits. They hold across instances and restarts, and are checked before hashing, so that a flood costs the
//! attacker more than us.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::{AuthError, Result};
use super::events::repeats::{Noted, Repeats};
use super::metrics::Metrics;
use crate::domain::client::Client;
use crate::store::db::Db;
use crate::store::rate_limits::{self, Answer, Bucket};
use table::{Exceeded, Limit};

pub mod attempt;
pub mod price;
pub mod table;

/// Decides which unknown names share a bucket. The same on every instance.
pub type BucketKey = [u8; 64];

/// Counts attempts.
pub struct Limits {
    db: Db,
    repeats: Arc<Repeats>,
    /// `None`: nothing is limited.
    key: Option<BucketKey>,
    metrics: Metrics,
}

/// One token of one limit, charged to an address, an account or the like.
#[derive(Debug, Clone)]
pub struct Charge {
    limit: Limit,
    whom: String,
}

impl Charge {
    pub fn new(limit: Limit, whom: impl std::fmt::Display) -> Self {
        Self {
            limit,
            whom: whom.to_string(),
        }
    }

    /// A hash, so that the row does not reveal whom it is about.
    fn bucket_name(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(self.limit.name);
        hash.update([0]);
        hash.update(&self.whom);
        hash.finalize().to_vec()
    }

    fn bucket(&self) -> Bucket {
        Bucket {
            name: self.bucket_name(),
            each: self.limit.period / self.limit.count,
            period: self.limit.period,
        }
    }
}

impl Limits {
    pub fn new(db: Db, repeats: Arc<Repeats>, key: Option<BucketKey>, metrics: Metrics) -> Self {
        Self {
            db,
            repeats,
            key,
            metrics,
        }
    }

    /// Takes one token for each charge, or refuses and takes none.
    pub async fn take(&self, charges: &[Charge], client: &Client) -> Result<()> {
        if self.key.is_none() {
            return Ok(());
        }
        let buckets: Vec<Bucket> = charges.iter().map(Charge::bucket).collect();
        let answers = self
            .db
            .run(async |conn| rate_limits::take(conn, &buckets).await)
            .await?;
        let Some((exceeded, bucket)) = refusal(charges, &buckets, &answers) else {
            return Ok(());
        };
        // Two requests raced for a new bucket. Give back what this one took from the others.
        let taken = answers.iter().filter(|answer| answer.taken);
        let taken: Vec<_> = taken.map(|answer| answer.name.clone()).collect();
        if !taken.is_empty() {
            self.db
                .run(async |conn| rate_limits::settle(conn, &taken, &[]).await)
                .await?;
        }
        self.metrics.limit_hit(exceeded.limit.name);
        let noted = || Noted::limit(exceeded.limit.name, client);
        self.repeats.note(&bucket.name, noted);
        Err(AuthError::RateLimited(exceeded))
    }

    /// Gives back the tokens of an attempt that did not fail, and refills the forgiven buckets.
    pub async fn settle(&self, put_back: &[Charge], forgiven: &[Charge]) -> Result<()> {
        if self.key.is_some() && !(put_back.is_empty() && forgiven.is_empty()) {
            let (mut put_back, forgiven) = (names(put_back), names(forgiven));
            put_back.retain(|name| !forgiven.contains(name));
            self.db
                .run(async |conn| rate_limits::settle(conn, &put_back, &forgiven).await)
                .await?;
        }
        Ok(())
    }

    /// Refills buckets for an operator, even where limits are off.
    pub async fn forgive(&self, charges: &[Charge]) -> Result<()> {
        let names = names(charges);
        self.db
            .run(async |conn| rate_limits::settle(conn, &[], &names).await)
            .await?;
        Ok(())
    }
}

fn names(charges: &[Charge]) -> Vec<Vec<u8>> {
    charges.iter().map(Charge::bucket_name).collect()
}

/// The limit with the longest wait, if any refused.
fn refusal<'a>(
    charges: &[Charge],
    buckets: &'a [Bucket],
    answers: &[Answer],
) -> Option<(Exceeded, &'a Bucket)> {
    let empty = answers.iter().any(|answer| answer.missing.is_some());
    let missing = |bucket: &Bucket| {
        let answer = answers.iter().find(|answer| answer.name == bucket.name)?;
        let refused = !answer.taken && (answer.missing.is_some() || !empty);
        refused.then(|| answer.missing.unwrap_or(bucket.each))
    };
    let refused = charges.iter().zip(buckets).filter_map(|(charge, bucket)| {
        let exceeded = Exceeded {
            limit: charge.limit,
            retry_after: missing(bucket)?,
        };
        Some((exceeded, bucket))
    });
    refused.max_by_key(|(exceeded, _)| exceeded.retry_after)
}
