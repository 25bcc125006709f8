//! What the rules depend on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::events::queue::EventQueue;
use super::events::repeats::Repeats;
use super::hashing::Hasher;
use super::limits::Limits;
use super::metrics::Metrics;
use super::oidc::providers::Providers;
use super::outbox::mailbox::Mailbox;
use super::passkeys::relying_party::RelyingParty;
use super::second_factor::sealed::Sealer;
use super::session::cache::SessionCache;
use super::session::lifetimes::Lifetimes;
use super::session::uses::UsedSessions;
use crate::domain::strength::Strength;
use crate::store::db::Db;
use crate::store::ways::Offer;

/// Everything a rule needs. `app` builds one, and tests build their own; there are no globals.
#[derive(Clone)]
pub struct Services {
    pub db: Db,
    pub hasher: Arc<Hasher>,
    pub sessions: Arc<SessionCache>,
    pub used_sessions: Arc<UsedSessions>,
    /// Woken when this instance has changed something that others cache.
    pub changes: Arc<Notify>,
    pub events: Arc<EventQueue>,
    pub repeats: Arc<Repeats>,
    pub limits: Arc<Limits>,
    pub mailbox: Arc<Mailbox>,
    /// Seals the secrets of authenticator apps.
    pub sealer: Arc<Sealer>,
    pub policy: Arc<Policy>,
    /// `None`: nobody can use passkeys here.
    pub passkeys: Option<Arc<RelyingParty>>,
    /// Whose accounts people can log in with.
    pub providers: Arc<Providers>,
    pub metrics: Metrics,
}

impl Services {
    /// The domain whose passkeys browsers offer here.
    pub fn rp_id(&self) -> Option<&str> {
        let party = self.passkeys.as_ref()?;
        Some(party.id().as_str())
    }

    /// What people can log in with here.
    pub fn offer(&self) -> Offer<'_> {
        Offer {
            rp_id: self.rp_id(),
            issuers: self.providers.issuers(),
        }
    }
}

/// Policies that the operator can set.
#[derive(Debug, Clone)]
pub struct Policy {
    pub password: Strength,
    pub lifetimes: Lifetimes,
    pub registration_open: bool,
    /// Nobody logs in, or holds an address, before proving it.
    pub require_verified_email: bool,
    /// Whether administrators need a login with two factors.
    pub admin_second_factor: bool,
    /// For how long a trusted browser needs no second factor. Zero: no browser is trusted.
    pub trust_device_for: Duration,
    /// Whether users hear of a login from a browser that is new to them.
    pub sign_in_notice: bool,
}

impl Policy {
    /// Operators may add users at any time.
    pub fn of_operators(password: Strength) -> Self {
        Self {
            password,
            lifetimes: Lifetimes::default(),
            registration_open: true,
            require_verified_email: false,
            admin_second_factor: false,
            trust_device_for: Duration::ZERO,
            sign_in_notice: false,
        }
    }
}
