//! Logging in with an account at a provider.

use super::failure::Failure;
use super::outcome::Outcome;
use super::provider::Provider;
use super::tokens::Told;
use super::{identities, stranger};
use crate::auth::admission::Wish;
use crate::auth::door::{self, Login};
use crate::auth::error::AuthError;
use crate::auth::second_factor::step;
use crate::auth::services::Services;
use crate::auth::session;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::proof::Proof;
use crate::store::newcomers::is_unproven;
use crate::store::oidc_flows::Flow;

/// `visit` is that of whoever has logged in meanwhile, perhaps in another tab: it ends.
pub async fn log_in(
    services: &Services,
    provider: &Provider,
    told: Told,
    flow: &Flow,
    visit: Option<&Visit>,
    client: &Client,
) -> Result<Outcome, Failure> {
    let wish = Wish {
        remembered: flow.remembered,
        redirect_to: flow.redirect_to.clone(),
    };
    let known = identities::holder(services, provider, &told.claims).await?;
    // Whoever has never proven an address begins again: perhaps it was mistyped.
    let known = known.filter(|(account, _)| !is_unproven(account));
    let Some((account, identity)) = known else {
        let claims = told.with_address(provider).await?;
        let step = stranger::begin(services, provider, claims, &wish).await?;
        return Ok(Outcome::ChooseUsername(step));
    };
    let proof = Proof::by_provider(provider.entry.counts_as_two);
    let login = door::admit(services, &account, proof, &wish, client).await?;
    match login {
        Login::SecondFactor(pending) => {
            if !identities::note_use(services, &identity).await? {
                step::cancel(services, &pending.key.hash()).await?;
                return Err(disconnected());
            }
            Ok(Outcome::SecondFactor(pending))
        }
        Login::Started(started) => {
            if !identities::note_use(services, &identity).await? {
                let (user_id, id) = (identity.user_id, started.session.id);
                return match session::revoke(services, user_id, id, client).await {
                    Ok(()) | Err(AuthError::SessionNotFound) => Err(disconnected()),
                    Err(error) => Err(error.into()),
                };
            }
            if let Some(visit) = visit {
                session::end(services, visit, client).await?;
            }
            Ok(Outcome::LoggedIn {
                started,
                redirect_to: wish.redirect_to,
            })
        }
    }
}

fn disconnected() -> Failure {
    Failure::failed("disconnected at this moment")
}
