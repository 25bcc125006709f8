//! An attempt to log in, to confirm a password or to show a second factor.

use std::sync::Arc;

use uuid::Uuid;

use super::price::{Price, is_in_a_row};
use super::table::{DEVICES, Exceeded, Limit, NETWORKS, STRANGERS};
use super::{Charge, Limits};
use crate::auth::error::{AuthError, Result};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::store::login::Found;
use crate::store::users::Account;

/// An attempt, charged as a failure until it succeeds. So the limit holds under any concurrency.
#[must_use]
pub struct Attempt {
    limits: Arc<Limits>,
    /// Charged for failures only.
    failures: Vec<Charge>,
    /// Refilled by a correct password.
    in_a_row: Vec<Charge>,
}

impl Attempt {
    /// Charges an attempt to log in, or refuses it.
    pub async fn begin_login(services: &Services, found: &Found, client: &Client) -> Result<Self> {
        let key = services.limits.key.unwrap_or([0; 64]);
        let begun = Self::begin(services, Price::of_login(&key, found, client), client).await;
        if let (Err(AuthError::RateLimited(exceeded)), Some(account)) = (&begun, &found.account)
            && [STRANGERS.recently, STRANGERS.in_a_row].contains(&exceeded.limit)
        {
            services.mailbox.note_tried(account.user.id);
        }
        begun.map_err(as_for_a_stranger)
    }

    /// Charges an attempt to confirm the password inside a session, or refuses it.
    ///
    /// `place` is that session, or the mailed link that asks for the password too.
    pub async fn begin_proof(
        services: &Services,
        user: Uuid,
        place: Uuid,
        client: &Client,
    ) -> Result<Self> {
        Self::begin(services, Price::of_proof(user, place), client).await
    }

    /// Charges an attempt to show a second factor, or refuses it. Only whoever knows the first factor gets here.
    pub async fn begin_second_factor(
        services: &Services,
        account: &Account,
        client: &Client,
    ) -> Result<Self> {
        let device = client
            .devices
            .id_of(account.user.id, account.password_epoch);
        let price = Price::of_second_factor(account.user.id, device);
        Self::begin(services, price, client).await
    }

    async fn begin(services: &Services, price: Price, client: &Client) -> Result<Self> {
        let Price {
            tries,
            failures,
            in_a_row,
        } = price;
        let all = [tries, failures.clone()].concat();
        services.limits.take(&all, client).await?;
        Ok(Self {
            limits: services.limits.clone(),
            failures,
            in_a_row,
        })
    }

    /// Refunds the failure, and resets the count of failures in a row.
    pub async fn succeeded(self) -> Result<()> {
        self.limits.settle(&self.failures, &self.in_a_row).await
    }

    /// Nothing to do: the failure is already charged.
    pub fn failed(self) {}

    /// Refunds an attempt that was never evaluated, for example because the queue was full.
    pub async fn undecided(self) -> Result<()> {
        self.limits.settle(&self.failures, &[]).await
    }
}

/// Hides which kind of place hit a limit: that would reveal who is known there.
fn as_for_a_stranger(error: AuthError) -> AuthError {
    let shown = |limit: Limit| {
        let known = [DEVICES, NETWORKS];
        if is_in_a_row(limit) {
            return STRANGERS.in_a_row;
        }
        let is_known = known
            .iter()
            .any(|kind| kind.recently == limit || kind.together == Some(limit));
        if is_known { STRANGERS.recently } else { limit }
    };
    match error {
        AuthError::RateLimited(exceeded) => AuthError::RateLimited(Exceeded {
            limit: shown(exceeded.limit),
            ..exceeded
        }),
        other => other,
    }
}
