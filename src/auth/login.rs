//! Logging in.

use ipnet::IpNet;
use unicode_normalization::UnicodeNormalization;

use super::error::{AuthError, Result};
use super::events::{Kind, record};
use super::limits::failures::Attempt;
use super::limits::neighbourhood;
use super::password::PlainPassword;
use super::session::{self, Started};
use super::{Services, to_the_end};
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::username::Username;
use crate::store::login::{Found, Name, find};
use crate::store::users;

/// What a person types to log in.
pub struct Login {
    /// A username or an e-mail address.
    pub identifier: String,
    pub password: PlainPassword,
    pub remember_me: bool,
}

/// Logs in: one message and one amount of work for whatever is wrong with name or password.
pub async fn log_in(services: &Services, login: Login, client: &Client) -> Result<Started> {
    let (services, client) = (services.clone(), client.clone());
    to_the_end(async move { decide(&services, login, &client).await }).await
}

async fn decide(services: &Services, login: Login, client: &Client) -> Result<Started> {
    let home = neighbourhood(client.ip);
    let found = look_up(services, &login.identifier, home).await?;
    let attempt = Attempt::begin(services, &found, home, client).await?;
    let account = found.account;
    let stored = account
        .as_ref()
        .map(|account| account.password_hash.as_str());
    let verdict = match services.hasher.verify(login.password, stored).await {
        Ok(verdict) => verdict,
        Err(error) => {
            attempt.undecided(services).await?;
            return Err(error);
        }
    };
    let mut account = match account {
        Some(account) if verdict.right => account,
        account => {
            let user_id = account.map(|account| account.user.id);
            record(services, Kind::LoginFailed, user_id, client).await;
            return Err(AuthError::InvalidCredentials);
        }
    };
    attempt.succeeded(services).await?;
    if account.user.disabled_at.is_some() {
        record(services, Kind::LoginRefused, Some(account.user.id), client).await;
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
    let started = session::start(services, &account, login.remember_me, home, client).await?;
    started.ok_or(AuthError::InvalidCredentials)
}

/// By username or e-mail address; what can be neither is nobody's.
pub async fn look_up(services: &Services, identifier: &str, home: IpNet) -> Result<Found> {
    let by_name = async |name: Name<'_>| {
        let found = services
            .db
            .run(async |conn| find(conn, name, home).await)
            .await;
        Ok(found?)
    };
    if let Ok(email) = Email::parse(identifier) {
        return by_name(Name::Email(email.as_str())).await;
    }
    match Username::parse(identifier) {
        Ok(username) => by_name(Name::Username(username.as_str())).await,
        Err(_) => Ok(Found {
            name: identifier.nfc().collect::<String>().to_lowercase(),
            now: chrono::DateTime::default(),
            network_known: false,
            account: None,
        }),
    }
}
