//! A passkey as the second factor of a login.

use serde_json::Value;
use uuid::Uuid;

use super::code::Right;
use super::completion::{Finished, complete};
use super::step;
use crate::auth::admission::require_admissible;
use crate::auth::error::{AuthError, Result};
use crate::auth::passkeys::authentication::prove;
use crate::auth::passkeys::ceremony::Ceremony;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::proof::Method;
use crate::domain::secret::KeyHash;

/// Whose login it is.
pub async fn user_id(services: &Services, key: &KeyHash) -> Result<Uuid> {
    let step = step::find(services, key).await?;
    step.user_id.ok_or(AuthError::StepExpired)
}

/// Completes a login.
pub async fn finish(
    services: &Services,
    key: &KeyHash,
    sent: Value,
    trust_device: bool,
    client: &Client,
) -> Result<Finished> {
    let finished = try_to_finish(services, key, sent, trust_device, client).await;
    let (metrics, error) = (&services.metrics, finished.as_ref().err());
    metrics.second_factor(Method::Passkey, error);
    finished
}

/// It spends none of the tries, because a signature cannot be guessed.
async fn try_to_finish(
    services: &Services,
    key: &KeyHash,
    sent: Value,
    trust_device: bool,
    client: &Client,
) -> Result<Finished> {
    let step = step::find(services, key).await?;
    let account = step::account_of(services, &step).await?;
    require_admissible(services, &account.user, client).await?;
    let ceremony = Ceremony::SecondFactor(key, account.user.id);
    let proven = prove(services, ceremony, sent, client).await?;
    let right = Right::Passkey(proven.passkey.id);
    let finished = complete(services, key, &account, &step, &right, trust_device, client).await?;
    // Removed since it signed.
    finished.ok_or(AuthError::InvalidPasskey("unknown"))
}
