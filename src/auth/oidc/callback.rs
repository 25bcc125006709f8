//! Coming back from a provider.

use super::discovery::is_from;
use super::failure::Failure;
use super::fetch::Deadline;
use super::flow::{Intent, charge};
use super::outcome::Outcome;
use super::provider::Provider;
use super::tokens::{self, Told};
use super::{confirmation, identities, login};
use crate::auth::error::AuthError;
use crate::auth::metrics::LoginMethod;
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::secret::SessionKey;
use crate::store::oidc_flows::{self, Flow};

/// What the browser brings.
pub struct Answer {
    pub state: Option<String>,
    pub code: Option<String>,
    pub iss: Option<String>,
    /// Why the provider sent nobody, in its words: for the log only.
    pub error: Option<String>,
    pub error_description: Option<String>,
}

/// Somebody whom the provider has sent, or nobody.
pub struct Met {
    /// `None`: nobody knows what it was for.
    intent: Option<Intent>,
    outcome: Result<(Flow, Told), Failure>,
}

/// What became of a journey.
pub struct Return {
    pub intent: Option<Intent>,
    pub outcome: Result<Outcome, Failure>,
}

/// Finds out who comes back. `browser` is the key in the browser's cookie. Changes nothing but that this way back is used
/// up, so a browser that goes away meanwhile misses nothing.
pub async fn meet(
    services: &Services,
    provider: &Provider,
    answer: Answer,
    browser: Option<SessionKey>,
    visit: Option<&Visit>,
    client: &Client,
) -> Met {
    let flow = match take(services, provider, &answer, browser, client).await {
        Ok(flow) => flow,
        Err(failure) => {
            return Met {
                intent: None,
                outcome: Err(failure),
            };
        }
    };
    let intent = flow.intent.parse().ok();
    let outcome = if is_due(&flow, intent, visit) {
        who(provider, answer, &flow, Deadline::start()).await
    } else {
        Err(Failure::Expired)
    };
    Met {
        intent,
        outcome: outcome.map(|told| (flow, told)),
    }
}

/// Only the session that asked gets what it asked for.
fn is_due(flow: &Flow, intent: Option<Intent>, visit: Option<&Visit>) -> bool {
    let of_visit = visit.map(|visit| visit.session().id);
    match intent {
        Some(Intent::Login) => true,
        Some(_) => of_visit == flow.session_id,
        // Written by another release.
        None => false,
    }
}

/// Does what they came for.
pub async fn finish(
    services: &Services,
    provider: &Provider,
    met: Met,
    visit: Option<&Visit>,
    client: &Client,
) -> Return {
    let intent = met.intent;
    let outcome = match met.outcome {
        Ok((flow, told)) => go_on(services, provider, intent, &flow, told, visit, client).await,
        Err(failure) => Err(failure),
    };
    let done = Return { intent, outcome };
    note(services, provider, &done, client);
    done
}

/// Counts and logs it. What the provider says is quoted, so that it is one line whatever it holds.
fn note(services: &Services, provider: &Provider, done: &Return, client: &Client) {
    let name = provider.entry.name.as_str();
    let metrics = &services.metrics;
    let is_login = done.intent == Some(Intent::Login);
    match &done.outcome {
        Ok(outcome) => {
            metrics.oidc(name, outcome.into());
            match outcome {
                Outcome::LoggedIn { .. } => metrics.login(LoginMethod::Oidc, None),
                Outcome::SecondFactor(_) => metrics.login_waits(LoginMethod::Oidc),
                _ => {}
            }
        }
        Err(failure) => {
            metrics.oidc(name, failure.into());
            if is_login {
                metrics.login_ended(LoginMethod::Oidc, failure.into());
            }
            let (request_id, intent) = (client.request_id, done.intent.map(<&str>::from));
            if let Failure::Broken(cause) = failure {
                tracing::error!(%request_id, cause, "internal error");
            } else {
                tracing::info!(provider = name, intent, %request_id, ?failure, "nobody came back from a provider");
            }
        }
    }
}

/// The flow that this browser began.
async fn take(
    services: &Services,
    provider: &Provider,
    answer: &Answer,
    browser: Option<SessionKey>,
    client: &Client,
) -> Result<Flow, Failure> {
    charge(services, client).await?;
    let state = answer.state.as_deref().and_then(SessionKey::parse);
    let state = state
        .ok_or_else(|| Failure::failed("no state of ours"))?
        .hash();
    let browser = browser.ok_or(Failure::Expired)?.hash();
    let name = &provider.entry.name;
    let taken = services
        .db
        .run(async |conn| oidc_flows::take(conn, &state, &browser, name).await);
    let taken = taken.await.map_err(AuthError::from)?;
    taken.ok_or(Failure::Expired)
}

async fn go_on(
    services: &Services,
    provider: &Provider,
    intent: Option<Intent>,
    flow: &Flow,
    told: Told,
    visit: Option<&Visit>,
    client: &Client,
) -> Result<Outcome, Failure> {
    match (intent, visit) {
        (Some(Intent::Link), Some(visit)) => {
            let claims = told.with_address(provider).await;
            // It is only shown.
            let claims = claims.unwrap_or_else(|_| told.claims.clone());
            identities::link(services, provider, visit, &claims, client).await?;
            Ok(Outcome::Linked)
        }
        (Some(Intent::Reauthenticate), Some(visit)) => {
            let claims = &told.claims;
            let issued =
                confirmation::confirm(services, provider, visit, claims, flow, client).await?;
            Ok(Outcome::Reauthenticated {
                issued,
                user_id: visit.user.id,
                redirect_to: flow.redirect_to.clone(),
            })
        }
        _ => login::log_in(services, provider, told, flow, visit, client).await,
    }
}

/// Whom the provider has sent.
async fn who(
    provider: &Provider,
    answer: Answer,
    flow: &Flow,
    until: Deadline,
) -> Result<Told, Failure> {
    let metadata = provider.metadata(until).await;
    let metadata = metadata.map_err(Failure::Unavailable)?;
    // Before anything else that it says (RFC 9207 2.4): another provider's answer must not even fail here.
    if !is_from(&metadata, answer.iss.as_deref()) {
        return Err(Failure::failed("the answer is another provider's (iss)"));
    }
    if let Some(error) = answer.error {
        let why = format!("{error}: {}", answer.error_description.unwrap_or_default());
        return Err(match error.as_str() {
            "access_denied" => Failure::Denied(why),
            "server_error" | "temporarily_unavailable" => Failure::Unavailable(why),
            _ => Failure::Failed(why),
        });
    }
    let code = answer.code.ok_or_else(|| Failure::failed("no code"))?;
    let verifier = flow.verifier.clone();
    tokens::redeem(provider, metadata, code, &flow.nonce, verifier, until).await
}
