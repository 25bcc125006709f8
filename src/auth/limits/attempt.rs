//! An attempt to log in or to confirm a password, and the buckets that it is charged to.
//!
//! An account is counted by its id, whatever name is used for it. Strangers, known browsers and known networks have
//! separate buckets, so that none can exhaust another's.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::table::{
    DEVICES, Exceeded, FAILED_LOGIN, FailedLogins, KNOWN_PERSON, LOGIN, Limit, NETWORKS, PROOF,
    PROOF_ATTEMPTS, PROOFS, STRANGERS,
};
use super::{BucketKey, Charge, Limits};
use crate::auth::error::{AuthError, Result};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::store::login::Found;

/// An attempt, charged as a failure until it succeeds. So the limit holds under any concurrency.
#[must_use]
pub struct Attempt {
    limits: Arc<Limits>,
    /// Charged for failures only.
    failures: Vec<Charge>,
    /// Refilled by a correct password.
    in_a_row: Vec<Charge>,
}

/// What an attempt costs.
#[derive(Default)]
struct Price {
    /// Charged for every attempt, good or bad.
    tries: Vec<Charge>,
    failures: Vec<Charge>,
    in_a_row: Vec<Charge>,
}

impl Attempt {
    /// Charges an attempt to log in, or refuses it.
    pub async fn begin_login(services: &Services, found: &Found, client: &Client) -> Result<Self> {
        let key = services.limits.key.unwrap_or([0; 64]);
        let begun = Self::begin(services, of_login(&key, found, client), client).await;
        if let (Err(AuthError::RateLimited(exceeded)), Some(account)) = (&begun, &found.account)
            && [STRANGERS.recently, STRANGERS.in_a_row].contains(&exceeded.limit)
        {
            services.mailbox.note_tried(account.user.id);
        }
        begun.map_err(as_for_a_stranger)
    }

    /// Charges an attempt to confirm the password inside a session, or refuses it.
    ///
    /// `place` is that session, or the mailed link that asks for the password too.
    pub async fn begin_proof(
        services: &Services,
        user: Uuid,
        place: Uuid,
        client: &Client,
    ) -> Result<Self> {
        let price = Price {
            tries: vec![Charge::new(PROOF_ATTEMPTS, user)],
            failures: vec![Charge::new(PROOF, place), Charge::new(PROOFS, user)],
            in_a_row: Vec::new(),
        };
        Self::begin(services, price, client).await
    }

    async fn begin(services: &Services, price: Price, client: &Client) -> Result<Self> {
        let Price {
            tries,
            failures,
            in_a_row,
        } = price;
        let all = [tries, failures.clone()].concat();
        services.limits.take(&all, client).await?;
        Ok(Self {
            limits: services.limits.clone(),
            failures,
            in_a_row,
        })
    }

    /// Refunds the failure, and resets the count of failures in a row.
    pub async fn succeeded(self) -> Result<()> {
        self.limits.settle(&self.failures, &self.in_a_row).await
    }

    /// Nothing to do: the failure is already charged.
    pub fn failed(self) {}

    /// Refunds an attempt that was never evaluated, for example because the queue was full.
    pub async fn undecided(self) -> Result<()> {
        self.limits.settle(&self.failures, &[]).await
    }
}

fn of_login(bucket_key: &BucketKey, found: &Found, client: &Client) -> Price {
    let address = client.network();
    let stranger = |whom: &str| {
        let mut failures = charges(&STRANGERS, whom, whom);
        failures.push(Charge::new(FAILED_LOGIN, address));
        (vec![Charge::new(LOGIN, address)], failures)
    };
    let Some(account) = &found.account else {
        let (tries, failures) = stranger(&anonymous(bucket_key, &found.name));
        return Price {
            tries,
            failures,
            in_a_row: Vec::new(),
        };
    };
    let id = account.user.id.to_string();
    let known = |kind: &FailedLogins, place: &str| {
        let tries = vec![Charge::new(KNOWN_PERSON, &id)];
        (tries, charges(kind, place, &id))
    };
    let device = client
        .devices
        .known(account.user.id, account.password_epoch, found.now);
    let (tries, failures) = match device {
        Some(device) => known(&DEVICES, &device.id.to_string()),
        None if found.network_known => {
            known(&NETWORKS, &format!("{id} {}", client.neighbourhood()))
        }
        None => stranger(&id),
    };
    let mut in_a_row = vec![Charge::new(STRANGERS.in_a_row, &id)];
    let ours = failures.iter().filter(|one| is_in_a_row(one.limit));
    in_a_row.extend(ours.cloned());
    Price {
        tries,
        failures,
        in_a_row,
    }
}

fn charges(kind: &FailedLogins, place: &str, account: &str) -> Vec<Charge> {
    let recently = [Charge::new(kind.recently, place)];
    let together = kind.together.map(|limit| Charge::new(limit, account));
    let in_a_row = [Charge::new(kind.in_a_row, place)];
    recently
        .into_iter()
        .chain(together)
        .chain(in_a_row)
        .collect()
}

fn is_in_a_row(limit: Limit) -> bool {
    [STRANGERS, DEVICES, NETWORKS]
        .iter()
        .any(|kind| kind.in_a_row == limit)
}

/// All charges that count for an account as a whole. A single device or network is not included: it gets its attempts
/// back within five minutes, and after 50 failures in a row one every two hours.
pub fn of_account(account: Uuid) -> Vec<Charge> {
    let together = [DEVICES, NETWORKS].map(|kind| kind.together);
    let strangers = [STRANGERS.recently, STRANGERS.in_a_row, KNOWN_PERSON];
    let limits = strangers.into_iter().chain(together.into_iter().flatten());
    limits.map(|limit| Charge::new(limit, account)).collect()
}

/// Hides which kind of place hit a limit: that would reveal who is known there.
fn as_for_a_stranger(error: AuthError) -> AuthError {
    let shown = |limit: Limit| {
        let known = [DEVICES, NETWORKS];
        if is_in_a_row(limit) {
            return STRANGERS.in_a_row;
        }
        let is_known = known
            .iter()
            .any(|kind| kind.recently == limit || kind.together == Some(limit));
        if is_known { STRANGERS.recently } else { limit }
    };
    match error {
        AuthError::RateLimited(exceeded) => AuthError::RateLimited(Exceeded {
            limit: shown(exceeded.limit),
            ..exceeded
        }),
        other => other,
    }
}

/// One of 65,536 buckets that all nonexistent names share, so that invented names cannot grow the table. Which names
/// share a bucket is secret. Otherwise an attacker could empty the bucket of a name through other names, and learn from
/// the refusal that nobody has it.
fn anonymous(bucket_key: &BucketKey, name: &str) -> String {
    let digest = Sha256::new()
        .chain_update(bucket_key)
        .chain_update(name)
        .finalize();
    let number = u16::from_be_bytes([digest[0], digest[1]]);
    format!("nobody {number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_unknown_names_share_a_bucket_depends_on_the_key() {
        let with = |key: u8| {
            let names = (0..1000).map(|n| anonymous(&[key; 64], &format!("invented{n}")));
            names.collect::<Vec<_>>()
        };
        assert_eq!(with(1), with(1));
        let same = with(1).into_iter().zip(with(2)).filter(|(a, b)| a == b);
        assert!(same.count() < 5);
    }
}
