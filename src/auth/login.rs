//! Logging in.

use unicode_normalization::UnicodeNormalization;

use super::admission::Wish;
use super::door::{Login, admit};
use super::error::{AuthError, Result};
use super::events::Kind;
use super::limits::attempt::Attempt;
use super::metrics::LoginMethod;
use super::password;
use super::services::Services;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::password::PlainPassword;
use crate::domain::proof::{Method, Proof};
use crate::domain::username::Username;
use crate::store::login::{Found, Name, find};
use crate::store::users;

/// What a person types to log in.
pub struct Credentials {
    /// A username or an e-mail address.
    pub identifier: String,
    pub password: PlainPassword,
    pub wish: Wish,
}

/// Logs in. A wrong name and a wrong password get the same error and cost the same work.
pub async fn log_in(
    services: &Services,
    credentials: Credentials,
    client: &Client,
) -> Result<Login> {
    let login = by_password(services, credentials, client).await;
    let (metrics, method) = (&services.metrics, LoginMethod::Password);
    match &login {
        Ok(Login::Started(_)) => metrics.login(method, None),
        Ok(Login::SecondFactor(_)) => metrics.login_waits(method),
        Err(error) => metrics.login(method, Some(error)),
    }
    login
}

async fn by_password(
    services: &Services,
    credentials: Credentials,
    client: &Client,
) -> Result<Login> {
    let found = look_up(services, &credentials.identifier, client).await?;
    let attempt = Attempt::begin_login(services, &found, client).await?;
    let account = found.account;
    let stored = account
        .as_ref()
        .and_then(|account| account.password_hash.as_ref());
    let verdict = password::check(services, attempt, credentials.password, stored).await?;
    let account = match account {
        Some(account) if verdict.right => account,
        account => {
            let user_id = account.map(|account| account.user.id);
            services
                .events
                .record(Kind::LoginFailed, user_id, client)
                .await;
            return Err(AuthError::InvalidCredentials);
        }
    };
    let id = account.user.id;
    if let (Some(rehashed), Some(old)) = (verdict.rehashed, &account.password_hash) {
        services
            .db
            .run(async |conn| users::rehash(conn, id, old, &rehashed).await)
            .await?;
    }
    let proof = Proof::by(Method::Password);
    let login = admit(services, &account, proof, &credentials.wish, client).await;
    login.map_err(|error| match error {
        // The password has changed since it was checked.
        AuthError::NotAuthenticated => AuthError::InvalidCredentials,
        other => other,
    })
}

/// Finds an account by username or e-mail address. Text that can be neither finds none.
pub async fn look_up(services: &Services, identifier: &str, client: &Client) -> Result<Found> {
    let network = client.neighbourhood();
    let by_name = async |name: Name<'_>| {
        let found = services
            .db
            .run(async |conn| find(conn, name, network).await)
            .await;
        Ok(found?)
    };
    if let Ok(email) = Email::parse(identifier) {
        return by_name(Name::Email(&email)).await;
    }
    match Username::parse(identifier) {
        Ok(username) => by_name(Name::Username(&username)).await,
        Err(_) => Ok(Found {
            name: identifier.nfc().collect::<String>().to_lowercase(),
            now: chrono::DateTime::default(),
            network_known: false,
            account: None,
        }),
    }
}
