//! Logging in.

use super::Services;
use super::account::find;
use super::client::Client;
use super::email::Email;
use super::error::{AuthError, Result};
use super::events::{Kind, record};
use super::limits::{self, Claim};
use super::password::PlainPassword;
use super::session::{self, Started};
use crate::store::users::{self, Account, User};

/// What a person types to log in.
pub struct Login {
    /// A username or an e-mail address.
    pub identifier: String,
    pub password: PlainPassword,
    pub remember_me: bool,
}

/// Logs in: one message and one amount of work for whatever is wrong with name or password.
pub async fn log_in(services: &Services, login: Login, client: &Client) -> Result<Started> {
    limits::take(
        services,
        &[Claim::new(limits::LOGIN, limits::network(client.ip))],
        client,
    )
    .await?;
    let account = find(services, &login.identifier).await?;
    let failures = failure_claims(&login.identifier, account.as_ref(), client);
    limits::take(services, &failures, client).await?;
    let stored = account
        .as_ref()
        .map(|account| account.password_hash.as_str());
    let verdict = match services.hasher.verify(login.password, stored).await {
        Ok(verdict) => verdict,
        Err(error) => {
            limits::put_back(services, &failures).await?;
            return Err(error);
        }
    };
    let mut account = match account {
        Some(account) if verdict.right => account,
        account => {
            let user_id = account.map(|account| account.user.id);
            record(services, Kind::LoginFailed, user_id, client);
            return Err(AuthError::InvalidCredentials);
        }
    };
    limits::put_back(services, &failures).await?;
    if services.policy.rate_limits {
        limits::forgive(services, &[in_a_row(&login.identifier)]).await?;
    }
    if account.user.disabled_at.is_some() {
        record(services, Kind::LoginRefused, Some(account.user.id), client);
        return Err(AuthError::AccountDisabled);
    }
    if let Some(hash) = verdict.rehashed {
        let (id, old) = (account.user.id, &account.password_hash);
        services
            .db
            .run(async |conn| users::rehash(conn, id, old, &hash).await)
            .await?;
        account.password_hash = hash;
    }
    let started = session::start(services, &account, login.remember_me, client).await?;
    started.ok_or(AuthError::InvalidCredentials)
}

/// A failure is paid for before the hash and given back after a right password: so the limit holds however many try at
/// once. A browser in which this user logged in before pays from its own bucket.
fn failure_claims(identifier: &str, account: Option<&Account>, client: &Client) -> Vec<Claim> {
    let known = client
        .device
        .as_ref()
        .filter(|device| account.is_some_and(|a| a.user.id == device.user_id));
    if let Some(device) = known {
        return vec![Claim::new(limits::FAILED_DEVICE, device.id)];
    }
    let address = Claim::new(limits::FAILED_LOGIN, limits::network(client.ip));
    vec![in_a_row(identifier), recently(identifier), address]
}

fn in_a_row(identifier: &str) -> Claim {
    Claim::new(limits::FAILED_IN_A_ROW, canonical(identifier))
}

fn recently(identifier: &str) -> Claim {
    Claim::new(limits::FAILED_ACCOUNT, canonical(identifier))
}

/// A user whom an operator gave a new password starts anew.
pub async fn forgive_failures(services: &Services, user: &User) -> Result<()> {
    let names = [&user.username, &user.email];
    let claims: Vec<Claim> = names
        .iter()
        .flat_map(|name| [in_a_row(name), recently(name)])
        .collect();
    limits::forgive(services, &claims).await
}

/// The form in which an identifier is limited, whether anybody has it or not.
fn canonical(identifier: &str) -> String {
    let email = Email::parse(identifier).map(|email| email.canonical());
    email.unwrap_or_else(|_| identifier.to_lowercase())
}
