//! Sending somebody to a provider, and remembering what for.

use std::time::Duration;

use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow};
use openidconnect::{CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, Scope};
use strum::{EnumString, IntoStaticStr, VariantArray};
use url::Url;

use super::fetch::Deadline;
use super::provider::Provider;
use crate::auth::admission::Wish;
use crate::auth::error::{AuthError, Result};
use crate::auth::limits::Charge;
use crate::auth::limits::table::OIDC;
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::secret::{FLOW_LIFE, SessionKey};
use crate::store::oidc_flows::{self, NewFlow};

/// What somebody goes to a provider for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Intent {
    Login,
    Link,
    Reauthenticate,
}

/// Begins a flow for the browser with this key, in this session if it is for one. Returns where the browser has to go.
pub async fn begin(
    services: &Services,
    provider: &Provider,
    intent: Intent,
    visit: Option<&Visit>,
    wish: &Wish,
    browser: &SessionKey,
    client: &Client,
) -> Result<Url> {
    charge(services, client).await?;
    let metadata = provider
        .metadata(Deadline::start())
        .await
        .map_err(|why| AuthError::ProviderUnavailable(format!("{}: {why}", provider.entry.name)))?;
    let state = SessionKey::generate()?;
    let nonce = SessionKey::generate()?.cookie_value().to_owned();
    let verifier = SessionKey::generate()?.cookie_value().to_owned();
    let flow = NewFlow {
        state_hash: &state.hash(),
        browser_hash: &browser.hash(),
        provider: &provider.entry.name,
        intent: intent.into(),
        session_id: visit.map(|visit| visit.session().id),
        nonce: &nonce,
        verifier: &verifier,
        redirect_to: wish.redirect_to.as_deref(),
        remembered: wish.remembered,
    };
    let kept = services
        .db
        .run(async |conn| oidc_flows::insert(conn, &flow, FLOW_LIFE).await);
    kept.await?;
    let app = provider.client(&metadata);
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
    let state = CsrfToken::new(state.cookie_value().to_owned());
    let mut request = app
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            || state,
            || Nonce::new(nonce),
        )
        .add_scopes(provider.entry.scopes.iter().cloned().map(Scope::new))
        .set_pkce_challenge(challenge);
    if intent == Intent::Reauthenticate {
        request = request
            .add_prompt(CoreAuthPrompt::Login)
            .set_max_age(Duration::ZERO)
            .add_extra_param("claims", r#"{"id_token":{"auth_time":{"essential":true}}}"#);
    }
    let (url, _, _) = request.url();
    Ok(url)
}

/// Refuses if this address comes and goes too often.
pub(super) async fn charge(services: &Services, client: &Client) -> Result<()> {
    let charge = Charge::new(OIDC, client.network());
    services.limits.take(&[charge], client).await
}
