//! Every limit, with its reason.

use std::time::Duration;

/// How many attempts in which period; they may come all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub name: &'static str,
    pub count: u32,
    pub period: Duration,
}

/// A limit that was hit; for the answer's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    pub limit: Limit,
    pub retry_after: Duration,
}

const fn limit(name: &'static str, count: u32, period: Duration) -> Limit {
    Limit {
        name,
        count,
        period,
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);
const HOUR: Duration = Duration::from_secs(3600);

/// A school or an office behind one address logs in at nine o'clock; a guesser wants thousands.
pub const LOGIN: Limit = limit("login", 30, MINUTE);
/// Several people behind one address may mistype at a time.
pub const FAILED_LOGIN: Limit = limit("failed-login", 10, MINUTE);
/// Known browsers and networks do not pay from the above, which anybody can use up, and what turns out right is given
/// back. But whoever registered may not have us hash without end: nobody logs in or proves a password that often.
pub const KNOWN_PERSON: Limit = limit("known-person", 30, MINUTE);
pub const PROOF_TRIES: Limit = limit("proof-tries", 30, MINUTE);
/// Registrations cost a hash and leave a row.
pub const REGISTER: Limit = limit("register", 20, MINUTE);

/// Failed logins to one account, from one kind of place: nobody elsewhere can use these up.
pub struct FailedLogins {
    /// Of one person, more than five is guessing (OWASP Authentication Cheat Sheet: count by account too).
    pub recently: Limit,
    /// Over all places of the kind, for which anybody could otherwise collect places.
    pub together: Option<Limit>,
    /// NIST SP 800-63B-4 3.2.2: no more than 100 failures in a row. After 50 the rest comes slowly, twelve a day, so
    /// that nobody is locked out for good; a good login starts anew.
    pub in_a_row: Limit,
}

const IN_A_ROW_COUNT: u32 = 50;
/// One comes back every two hours.
const IN_A_ROW_PERIOD: Duration = Duration::from_secs(IN_A_ROW_COUNT as u64 * 2 * 3600);

/// Anybody, anywhere.
pub const STRANGERS: FailedLogins = FailedLogins {
    recently: limit("account", 5, FIVE_MINUTES),
    together: None,
    in_a_row: limit("in-a-row", IN_A_ROW_COUNT, IN_A_ROW_PERIOD),
};
/// A browser in which this user logged in before.
pub const DEVICES: FailedLogins = FailedLogins {
    recently: limit("device", 5, FIVE_MINUTES),
    together: Some(limit("devices", 20, HOUR)),
    in_a_row: limit("devices-in-a-row", IN_A_ROW_COUNT, IN_A_ROW_PERIOD),
};
/// A network from which this user logged in lately.
pub const NETWORKS: FailedLogins = FailedLogins {
    recently: limit("network", 5, FIVE_MINUTES),
    together: Some(limit("networks", 20, HOUR)),
    in_a_row: limit("networks-in-a-row", IN_A_ROW_COUNT, IN_A_ROW_PERIOD),
};

/// Proving the password inside a session: a stolen session must not become a stolen password.
pub const PROOF: Limit = limit("proof", 5, FIVE_MINUTES);
/// Over all sessions of a user; more than one session can use up in an hour (65), so that a stolen one does not keep the
/// owner from changing the password.
pub const PROOFS: Limit = limit("proofs", 100, HOUR);
