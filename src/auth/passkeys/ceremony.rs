//! What a device is asked to sign for, by whom, and for how long the question stands.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use strum::IntoStaticStr;
use uuid::Uuid;

use super::party;
use super::presented::ClientData;
use super::relying_party::Begun;
use crate::auth::error::{AuthError, Result};
use crate::auth::limits::Charge;
use crate::auth::limits::table::PASSKEY_OPTIONS;
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::secret::KeyHash;
use crate::store::challenges::{self, Asked};

/// Twice as long as browsers wait for a person (300 s), because a page may ask before anybody touches anything.
const LIFETIME: Duration = Duration::from_secs(600);

/// What a signature is for. A challenge is good for one of these, and only for the session or login that asked.
#[derive(Clone, Copy, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Ceremony<'a> {
    Registration(&'a Visit),
    Login,
    /// Completes the login with this key, of this user.
    SecondFactor(&'a KeyHash, Uuid),
    Reauthentication(&'a Visit),
}

/// What a page passes to the browser.
pub struct Options {
    pub options: Value,
    pub expires_at: DateTime<Utc>,
}

impl Ceremony<'_> {
    /// Who has to sign. `None`: whoever has a passkey.
    pub fn user_id(&self) -> Option<Uuid> {
        match self {
            Self::Registration(visit) | Self::Reauthentication(visit) => Some(visit.user.id),
            Self::SecondFactor(_, user_id) => Some(*user_id),
            Self::Login => None,
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            purpose: self.into(),
            session_id: match self {
                Self::Registration(visit) | Self::Reauthentication(visit) => {
                    Some(visit.session().id)
                }
                Self::SecondFactor(..) | Self::Login => None,
            },
            step: match self {
                Self::SecondFactor(step, _) => Some(step),
                Self::Registration(_) | Self::Reauthentication(_) | Self::Login => None,
            },
        }
    }

    /// Keeps what was asked until somebody answers.
    pub(super) async fn keep(&self, services: &Services, begun: Begun) -> Result<Options> {
        let challenge = KeyHash::of_bytes(&begun.challenge);
        let (asked, user_id) = (self.asked(), self.user_id());
        let kept = services.db.run(async |conn| {
            challenges::insert(conn, &challenge, asked, user_id, &begun.state, LIFETIME).await
        });
        Ok(Options {
            expires_at: kept.await?,
            options: begun.options,
        })
    }

    /// Uses up the challenge that a browser says it answers.
    pub(super) async fn take(&self, services: &Services, said: &ClientData) -> Result<Value> {
        let challenge = said.challenge().ok_or(AuthError::ChallengeExpired)?;
        let asked = self.asked();
        let taken = services
            .db
            .run(async |conn| challenges::take(conn, &challenge, asked).await);
        taken.await?.ok_or(AuthError::ChallengeExpired)
    }
}

/// Refuses if this server offers no passkeys, or if this address asked too often.
pub(super) async fn charge(services: &Services, client: &Client) -> Result<()> {
    party(services)?;
    let charge = Charge::new(PASSKEY_OPTIONS, client.network());
    services.limits.take(&[charge], client).await
}
