//! Which buckets an attempt is charged to.
//!
//! An account is counted by its id, whatever name is used for it. Strangers, known browsers and known networks have
//! separate buckets, so that none can exhaust another's.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::table::{
    DEVICES, FAILED_LOGIN, FailedLogins, KNOWN_PERSON, LOGIN, Limit, NETWORKS, PROOF,
    PROOF_ATTEMPTS, PROOFS, SECOND_FACTOR, SECOND_FACTOR_DEVICES, SECOND_FACTOR_IN_A_ROW,
    STRANGERS,
};
use super::{BucketKey, Charge};
use crate::domain::client::Client;
use crate::store::login::Found;

/// What an attempt costs.
pub struct Price {
    /// Charged for every attempt, good or bad.
    pub tries: Vec<Charge>,
    /// Refunded by success.
    pub failures: Vec<Charge>,
    /// Refilled by success.
    pub in_a_row: Vec<Charge>,
}

impl Price {
    /// A try to log in.
    pub fn of_login(bucket_key: &BucketKey, found: &Found, client: &Client) -> Self {
        let address = client.network();
        let stranger = |whom: &str| {
            let mut failures = charges(&STRANGERS, whom, whom);
            failures.push(Charge::new(FAILED_LOGIN, address));
            (vec![Charge::new(LOGIN, address)], failures)
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
        Self {
            tries,
            failures,
            in_a_row,
        }
    }

    /// A try to confirm the password of `user`. `place` is the session, or the mailed link that asks for it.
    pub fn of_proof(user: Uuid, place: Uuid) -> Self {
        Self {
            tries: vec![Charge::new(PROOF_ATTEMPTS, user)],
            failures: vec![Charge::new(PROOF, place), Charge::new(PROOFS, user)],
            in_a_row: Vec::new(),
        }
    }

    /// A try to show the second factor of `user`, in a browser where they logged in before or in another.
    pub fn of_second_factor(user: Uuid, device: Option<Uuid>) -> Self {
        let failures = match device {
            // Together too: whoever knows the password may have collected many before the second factor was on.
            Some(device) => vec![
                Charge::new(SECOND_FACTOR, device),
                Charge::new(SECOND_FACTOR_DEVICES, devices_of(user)),
                Charge::new(SECOND_FACTOR_IN_A_ROW, devices_of(user)),
            ],
            None => vec![
                Charge::new(SECOND_FACTOR, user),
                Charge::new(SECOND_FACTOR_IN_A_ROW, user),
            ],
        };
        let in_a_row = [user.to_string(), devices_of(user)]
            .map(|whom| Charge::new(SECOND_FACTOR_IN_A_ROW, whom))
            .into();
        Self {
            tries: Vec::new(),
            failures,
            in_a_row,
        }
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

pub fn is_in_a_row(limit: Limit) -> bool {
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

/// The same for wrong codes. A mailed link must not forgive them: whoever has the mailbox would get new tries with each.
pub fn of_second_factor(account: Uuid) -> Vec<Charge> {
    vec![
        Charge::new(SECOND_FACTOR, account),
        Charge::new(SECOND_FACTOR_IN_A_ROW, account),
        Charge::new(SECOND_FACTOR_DEVICES, devices_of(account)),
        Charge::new(SECOND_FACTOR_IN_A_ROW, devices_of(account)),
    ]
}

/// All browsers in which a user logged in before.
fn devices_of(account: Uuid) -> String {
    format!("devices {account}")
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
