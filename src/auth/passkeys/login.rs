//! Logging in with a passkey alone: no name, no password. A passkey that verifies its user is both factors.

use serde_json::Value;

use super::authentication::{Proven, prove};
use super::ceremony::Ceremony;
use crate::auth::admission::Wish;
use crate::auth::door::{self, Login};
use crate::auth::error::{AuthError, Result};
use crate::auth::metrics::LoginMethod;
use crate::auth::services::Services;
use crate::auth::session;
use crate::domain::client::Client;
use crate::domain::proof::{Method, Proof};
use crate::store::passkeys;

pub async fn log_in(
    services: &Services,
    credential: Value,
    wish: &Wish,
    client: &Client,
) -> Result<Login> {
    let login = by_passkey(services, credential, wish, client).await;
    let error = login.as_ref().err();
    services.metrics.login(LoginMethod::Passkey, error);
    login
}

async fn by_passkey(
    services: &Services,
    credential: Value,
    wish: &Wish,
    client: &Client,
) -> Result<Login> {
    let Proven { account, passkey } = prove(services, Ceremony::Login, credential, client).await?;
    let proof = Proof::by(Method::Passkey);
    let login = door::admit(services, &account, proof, wish, client).await;
    let login = login.map_err(|error| match error {
        // Another password, since the account was read: whoever chose it may have shut somebody out.
        AuthError::NotAuthenticated => AuthError::InvalidPasskey("void"),
        other => other,
    })?;
    if let Login::Started(started) = &login {
        let id = passkey.id;
        let stays = services
            .db
            .run(async |conn| passkeys::exists(conn, id).await);
        // Removing it ends the sessions there are. Ours may have begun a moment later.
        if !stays.await? {
            session::revoke(services, account.user.id, started.session.id, client).await?;
            return Err(AuthError::UnknownPasskey);
        }
    }
    Ok(login)
}
