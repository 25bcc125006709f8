//! Every limit, with its reason.

use std::time::Duration;

/// How many attempts a period allows. They may come all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub name: &'static str,
    pub count: u32,
    pub period: Duration,
}

/// A limit that was hit, for the response's headers.
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
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A whole school or office behind one address may log in at nine o'clock. A guesser needs thousands of attempts.
pub const LOGIN: Limit = limit("login", 30, MINUTE);
/// Several people behind one address may mistype in the same minute.
pub const FAILED_LOGIN: Limit = limit("failed-login", 10, MINUTE);
/// Known browsers and networks are not charged to the limits above, which anyone can exhaust, and successes are
/// refunded. These two cap the hashing that a registered user can cause: nobody logs in or confirms a password that
/// often.
pub const KNOWN_PERSON: Limit = limit("known-person", 30, MINUTE);
pub const PROOF_ATTEMPTS: Limit = limit("proof-tries", 30, MINUTE);
/// A registration costs a hash and leaves a row.
pub const REGISTER: Limit = limit("register", 20, MINUTE);

/// Limits on failed logins to one account from one kind of place. Nobody elsewhere can exhaust them.
pub struct FailedLogins {
    /// More than five failures of one person is guessing (OWASP Authentication Cheat Sheet: count by account too).
    pub recently: Limit,
    /// Over all places of this kind, because an attacker could collect many.
    pub together: Option<Limit>,
    /// NIST SP 800-63B-4 3.2.2 allows at most 100 failures in a row. After 50, attempts come back slowly, twelve a day,
    /// so that nobody is locked out for good. A good login resets the count.
    pub in_a_row: Limit,
}

const IN_A_ROW_COUNT: u32 = 50;
/// One attempt comes back every two hours.
const IN_A_ROW_PERIOD: Duration = Duration::from_secs(IN_A_ROW_COUNT as u64 * 2 * 3600);

/// Anyone, anywhere.
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
/// A network from which this user logged in recently.
pub const NETWORKS: FailedLogins = FailedLogins {
    recently: limit("network", 5, FIVE_MINUTES),
    together: Some(limit("networks", 20, HOUR)),
    in_a_row: limit("networks-in-a-row", IN_A_ROW_COUNT, IN_A_ROW_PERIOD),
};

/// Proving again who one is, inside a session: a stolen session must not become a stolen password.
pub const PROOF: Limit = limit("proof", 5, FIVE_MINUTES);
/// Over all sessions of a user. More than one session can use up in an hour (65), so that a stolen session cannot keep
/// the owner from changing the password.
pub const PROOFS: Limit = limit("proofs", 100, HOUR);

/// Wrong codes after a right password, over all unfinished logins and all methods. A browser in which the user logged in
/// before has its own count. One code in 333,333 is right at any time.
pub const SECOND_FACTOR: Limit = limit("second-factor", 5, FIVE_MINUTES);
/// All such browsers together.
pub const SECOND_FACTOR_DEVICES: Limit = limit("second-factor", 20, HOUR);
/// Then twelve a day, as above.
pub const SECOND_FACTOR_IN_A_ROW: Limit =
    limit("second-factor-in-a-row", IN_A_ROW_COUNT, IN_A_ROW_PERIOD);

/// Requests of one administrator: more than a page that searches as they type, fewer than a script that copies everybody.
pub const ADMINISTRATION: Limit = limit("admin", 600, MINUTE);

/// Requests for mails from one address. A class that resets its passwords together stays below.
pub const MAIL: Limit = limit("mail", 20, MINUTE);
/// Mails that anyone can have sent to one mailbox. The answer does not say that this limit is hit: that would tell that
/// somebody asked before.
pub const MAILBOX: Limit = limit("mailbox", 5, HOUR);
/// Attempts to use a mailed link. Tokens cannot be guessed; this caps what guessing costs us.
pub const TOKEN: Limit = limit("token", 20, MINUTE);
/// Options for passkeys from one address: each is a row for ten minutes. A page with autofill asks at every visit of the
/// login.
pub const PASSKEY_OPTIONS: Limit = limit("passkey-options", 60, MINUTE);
/// Passkeys from one address that proved nothing. They cannot be guessed; this caps what trying costs us.
pub const PASSKEY: Limit = limit("passkey", 10, MINUTE);
/// Journeys to a provider and back, from one address. Each is a row for ten minutes, and asks the provider.
pub const OIDC: Limit = limit("oidc", 30, MINUTE);
/// Warnings to one user that somebody may have a copy of a passkey.
pub const PASSKEY_COPIED: Limit = limit("passkey-copied", 1, DAY);
/// Notices of a new sign-in to one user.
pub const NEW_SIGN_IN: Limit = limit("new-sign-in", 10, DAY);
/// Warnings to one user that somebody knows their password and tries codes.
pub const SECOND_FACTOR_FAILED: Limit = limit("second-factor-failed", 1, DAY);
/// Warnings to one user that somebody tries their password.
pub const PASSWORD_TRIED: Limit = limit("password-tried", 1, DAY);
