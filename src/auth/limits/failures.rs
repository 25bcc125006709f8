//! Failed logins: who pays from which buckets.
//!
//! A failure is paid for before the hash and given back after a right password, so that the limit holds however many
//! try at once. An account is counted by its id, however it is called. Strangers, known browsers and known networks have
//! buckets of their own: nobody can use up another's.

use ipnet::IpNet;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::table::{DEVICES, FAILED_LOGIN, FailedLogins, KNOWN_PERSON, LOGIN, NETWORKS, STRANGERS};
use super::{Claim, Hit, Limit, network};
use crate::auth::error::{AuthError, Result};
use crate::auth::{BucketKey, Services};
use crate::domain::client::Client;
use crate::store::login::Found;

/// A try to log in, as it is counted.
pub struct Attempt {
    /// Each try counts, good or bad.
    tries: Vec<Claim>,
    /// Only a failure counts.
    failures: Vec<Claim>,
    /// What a right password has start anew.
    in_a_row: Vec<Claim>,
}

impl Attempt {
    /// Pays for a try, or refuses it.
    pub async fn begin(
        services: &Services,
        found: &Found,
        home: IpNet,
        client: &Client,
    ) -> Result<Self> {
        let bucket_key = services.policy.limits.unwrap_or([0; 64]);
        let attempt = Self::new(&bucket_key, found, home, client);
        let all = [attempt.tries.as_slice(), &attempt.failures].concat();
        let taken = super::take(services, &all, client).await;
        taken.map(|()| attempt).map_err(as_for_a_stranger)
    }

    fn new(bucket_key: &BucketKey, found: &Found, home: IpNet, client: &Client) -> Self {
        let address = network(client.ip);
        let stranger = |whom: &str| {
            let mut failures = charges(&STRANGERS, whom, whom);
            failures.push(Claim::new(FAILED_LOGIN, &address));
            (vec![Claim::new(LOGIN, &address)], failures)
        };
        let Some(account) = &found.account else {
            let (tries, failures) = stranger(&anonymous(bucket_key, &found.name));
            return Self {
                tries,
                failures,
                in_a_row: Vec::new(),
            };
        };
        let id = account.user.id.to_string();
        let epoch = account.password_epoch;
        let device = client.devices.known(account.user.id, epoch, found.now);
        let known = |kind: &FailedLogins, place: &str| {
            let tries = vec![Claim::new(KNOWN_PERSON, &id)];
            (tries, charges(kind, place, &id))
        };
        let (tries, failures) = match device {
            Some(device) => known(&DEVICES, &device.id.to_string()),
            None if found.network_known => known(&NETWORKS, &format!("{id} {home}")),
            None => stranger(&id),
        };
        let mut in_a_row = vec![Claim::new(STRANGERS.in_a_row, &id)];
        in_a_row.extend(
            failures
                .iter()
                .filter(|one| is_in_a_row(one.limit))
                .cloned(),
        );
        Self {
            tries,
            failures,
            in_a_row,
        }
    }

    /// The password was right: nothing was a failure, and the next failures are the first in a row.
    pub async fn succeeded(&self, services: &Services) -> Result<()> {
        super::settle(services, &self.failures, &self.in_a_row).await
    }

    /// Nothing was found out: a full queue is nobody's failure.
    pub async fn undecided(&self, services: &Services) -> Result<()> {
        super::settle(services, &self.failures, &[]).await
    }
}

fn charges(kind: &FailedLogins, place: &str, account: &str) -> Vec<Claim> {
    let recently = [Claim::new(kind.recently, place)];
    let together = kind.together.map(|limit| Claim::new(limit, account));
    let in_a_row = [Claim::new(kind.in_a_row, place)];
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

/// Everything that is counted for an account as a whole. Single devices and networks have their tries back in five
/// minutes, and after 50 failures in a row in two hours.
pub fn of_account(account: Uuid) -> Vec<Claim> {
    let together = [DEVICES, NETWORKS].map(|kind| kind.together);
    let strangers = [STRANGERS.recently, STRANGERS.in_a_row, KNOWN_PERSON];
    let limits = strangers.into_iter().chain(together.into_iter().flatten());
    limits.map(|limit| Claim::new(limit, account)).collect()
}

/// What the answer says: which kind of place somebody is at would tell them whom we know there.
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
        AuthError::RateLimited(hit) => AuthError::RateLimited(Hit {
            limit: shown(hit.limit),
            ..hit
        }),
        other => other,
    }
}

/// One of 65,536 buckets for all the names that nobody has: invented ones cannot grow the table. Which names share one
/// is a secret: otherwise somebody could empty the bucket of a name by others, and see by its refusal that nobody has it.
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
