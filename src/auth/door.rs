//! The one door: what somebody gets who has proven who they are. Every way in leads through it.

use super::admission::{Wish, require_admissible};
use super::error::Result;
use super::second_factor::step::{self, Pending};
use super::services::Services;
use super::session::Started;
use super::session::opening::Opening;
use crate::domain::client::Client;
use crate::domain::proof::{Method, Proof};
use crate::store::second_factor::trusted_devices;
use crate::store::users::{self, Account};

/// What a proof opened.
pub enum Login {
    Started(Box<Started>),
    /// The user's second factor is on, and still to be shown.
    SecondFactor(Pending),
}

/// Opens a session, or the step in which the second factor is asked for. `NotAuthenticated`: the user was disabled, or
/// got another password, since the proof was checked.
pub async fn admit(
    services: &Services,
    account: &Account,
    proof: Proof,
    wish: &Wish,
    client: &Client,
) -> Result<Login> {
    require_admissible(services, &account.user, client).await?;
    let started = if account.user.second_factor_required && proof.factors() < 2 {
        in_trusted_browser(services, account, proof.clone(), wish, client).await?
    } else {
        let opening = Opening::new(services, account, &proof, wish.remembered, client)?;
        opening.open(services).await?
    };
    if let Some(started) = started {
        return Ok(Login::Started(Box::new(started)));
    }
    // The second factor is on, perhaps since this moment. For whoever is locked out no step begins.
    let pending = step::begin(services, account, &proof, wish).await?;
    Ok(Login::SecondFactor(pending))
}

/// `None` unless the user trusts this browser. The trust is looked up while nobody can end it.
async fn in_trusted_browser(
    services: &Services,
    account: &Account,
    proof: Proof,
    wish: &Wish,
    client: &Client,
) -> Result<Option<Started>> {
    let id = account.user.id;
    let device = client.devices.id_of(id, account.password_epoch);
    // Whoever forbids it now forbids what was allowed before, too.
    let allowed = !services.policy.trust_device_for.is_zero();
    let Some(device) = device.filter(|_| allowed) else {
        return Ok(None);
    };
    let proof = proof.and(Method::TrustedDevice);
    let opening = Opening::new(services, account, &proof, wish.remembered, client)?;
    let opened = services.db.transaction(async |conn| {
        users::lock(conn, id).await?;
        if !trusted_devices::note_use(conn, id, device).await? {
            return Ok(None);
        }
        opening.record(conn).await
    });
    match opened.await? {
        Some(row) => Ok(Some(opening.finish(services, row).await?)),
        None => Ok(None),
    }
}
