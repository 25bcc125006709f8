//! Proving again who one is, with an account at a provider.

use super::failure::Failure;
use super::identities;
use super::provider::Provider;
use super::tokens::{Claims, LEEWAY};
use crate::auth::methods;
use crate::auth::reauthentication;
use crate::auth::services::Services;
use crate::auth::session::Issued;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::proof::Proof;
use crate::store::oidc_flows::Flow;

/// A provider that does not say when they last did so is believed only where
/// there is no better proof (OWASP ASVS 5.0 6.8.4).
pub async fn confirm(
    services: &Services,
    provider: &Provider,
    visit: &Visit,
    claims: &Claims,
    flow: &Flow,
    client: &Client,
) -> Result<Issued, Failure> {
    let theirs = identities::holder(services, provider, claims).await?;
    let theirs = theirs.filter(|(account, _)| account.user.id == visit.user.id);
    let Some((account, identity)) = theirs else {
        return Err(Failure::failed("somebody else came back"));
    };
    let ways = methods::of(services, visit.user.id).await?;
    let is_recent = match claims.authenticated_at {
        Some(at) => at >= flow.created_at - LEEWAY,
        None => !ways.password && ways.passkeys == 0,
    };
    let proof = Proof::by_provider(provider.entry.counts_as_two);
    let is_enough = !account.user.second_factor_required || proof.is_enough();
    if !is_recent || !is_enough {
        return Err(Failure::NotRecent);
    }
    let done = reauthentication::complete(services, visit, &proof, client).await?;
    identities::note_use(services, &identity).await?;
    Ok(done.issued)
}
