//! What the rules count for whoever watches the server. Where nobody does, counting costs a branch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use strum::{IntoStaticStr, VariantArray};

use super::error::AuthError;
use crate::domain::proof::Method;
use crate::mail::kind::MailKind;
pub use result::LoginResult;

mod result;

/// From an idle machine to the end of the queue.
const HASH_BUCKETS: [f64; 10] = [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56];

/// Names and values that the code knows, never what somebody sent.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Counts if somebody watches. Cheap to clone; the default counts nothing.
#[derive(Clone, Default)]
pub struct Metrics(Option<Arc<Counters>>);

struct Counters {
    logins: Family<Labels<2>, Counter>,
    second_factor: Family<Labels<2>, Counter>,
    limits_hit: Family<Labels<1>, Counter>,
    cache_hits: Counter,
    cache_misses: Counter,
    hash_wait: Histogram,
    hash: Histogram,
    mails: Family<Labels<2>, Counter>,
    oidc: Family<ByProvider, Counter>,
}

/// The operator names the providers.
type ByProvider = [(&'static str, String); 2];

/// How somebody tried to log in.
#[derive(Clone, Copy, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum LoginMethod {
    Password,
    Passkey,
    Oidc,
}

/// What somebody may show as the second factor.
const SECOND_FACTORS: [Method; 3] = [Method::Totp, Method::RecoveryCode, Method::Passkey];

/// What became of a try to send a mail.
#[derive(Clone, Copy, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum MailResult {
    Sent,
    /// It will be tried again.
    Postponed,
    GivenUp,
}

impl Counters {
    fn begin_at_zero(&self) {
        for (method, result) in pairs(LoginMethod::VARIANTS, LoginResult::VARIANTS) {
            drop(self.logins.get_or_create(&by_method(method, result)));
        }
        for (method, result) in pairs(&SECOND_FACTORS, LoginResult::VARIANTS) {
            if !matches!(result, LoginResult::SecondFactor) {
                let labels = by_method(method, result);
                drop(self.second_factor.get_or_create(&labels));
            }
        }
        for (kind, result) in pairs(MailKind::VARIANTS, MailResult::VARIANTS) {
            drop(self.mails.get_or_create(&by_kind(kind, result)));
        }
    }
}

impl Metrics {
    /// Counters in this registry. Logins and mails begin at zero, because a rate needs two values.
    pub fn register(registry: &mut Registry) -> Self {
        let lookups = Family::<Labels<1>, Counter>::default();
        let counters = Counters {
            logins: Family::default(),
            second_factor: Family::default(),
            limits_hit: Family::default(),
            cache_hits: lookups.get_or_create_owned(&[("result", "hit")]),
            cache_misses: lookups.get_or_create_owned(&[("result", "miss")]),
            hash_wait: Histogram::new(HASH_BUCKETS),
            hash: Histogram::new(HASH_BUCKETS),
            mails: Family::default(),
            oidc: Family::default(),
        };
        counters.begin_at_zero();
        let mut add = |name, help, family: &Family<_, _>| {
            registry.register(name, help, Family::clone(family));
        };
        add("logins", "Attempts to log in", &counters.logins);
        let help = "Attempts to show a second factor";
        add("second_factor", help, &counters.second_factor);
        add("mails", "Tries to send a mail", &counters.mails);
        let mut add = |name, help, family: &Family<_, _>| {
            registry.register(name, help, Family::clone(family));
        };
        add("limits_hit", "Refusals by a limit", &counters.limits_hit);
        add("cache_lookups", "Lookups in the session cache", &lookups);
        let help = "People who came back from a provider";
        registry.register("oidc", help, counters.oidc.clone());
        let mut add = |name, help, histogram: &Histogram| {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        };
        add(
            "hash_wait",
            "Waiting for a hashing thread",
            &counters.hash_wait,
        );
        add(
            "hash",
            "Hashing a password or a recovery code",
            &counters.hash,
        );
        Self(Some(Arc::new(counters)))
    }

    /// Counts an attempt to log in that ended with this error, or with none.
    pub fn login(&self, method: LoginMethod, error: Option<&AuthError>) {
        let result = error.map_or(LoginResult::Good, LoginResult::from);
        self.login_ended(method, result);
    }

    /// Counts a login that waits for the second factor.
    pub fn login_waits(&self, method: LoginMethod) {
        self.login_ended(method, LoginResult::SecondFactor);
    }

    pub fn login_ended(&self, method: LoginMethod, result: LoginResult) {
        if let Some(counters) = &self.0 {
            let labels = by_method(method, result);
            counters.logins.get_or_create(&labels).inc();
        }
    }

    /// Counts an attempt to show a second factor, at a login or inside a session.
    pub fn second_factor(&self, method: Method, error: Option<&AuthError>) {
        if let Some(counters) = &self.0 {
            let result = error.map_or(LoginResult::Good, LoginResult::from);
            let labels = by_method(method, result);
            counters.second_factor.get_or_create(&labels).inc();
        }
    }

    pub fn limit_hit(&self, limit: &'static str) {
        if let Some(counters) = &self.0 {
            counters.limits_hit.get_or_create(&[("limit", limit)]).inc();
        }
    }

    pub fn cache_lookup(&self, hit: bool) {
        if let Some(counters) = &self.0 {
            let counter = if hit {
                &counters.cache_hits
            } else {
                &counters.cache_misses
            };
            counter.inc();
        }
    }

    pub fn hash_waited(&self, time: Duration) {
        if let Some(counters) = &self.0 {
            counters.hash_wait.observe(time.as_secs_f64());
        }
    }

    /// Measures the hashing of a password or a recovery code.
    pub fn hashing<T>(&self, hash: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = hash();
        if let Some(counters) = &self.0 {
            counters.hash.observe(began.elapsed().as_secs_f64());
        }
        done
    }

    /// Has this begin at zero, too.
    pub fn expect_oidc(&self, provider: &str, result: &'static str) {
        if let Some(counters) = &self.0 {
            drop(counters.oidc.get_or_create(&by_provider(provider, result)));
        }
    }

    /// Counts somebody who came back from a provider, by what became of it.
    pub fn oidc(&self, provider: &str, result: &'static str) {
        if let Some(counters) = &self.0 {
            let labels = by_provider(provider, result);
            counters.oidc.get_or_create(&labels).inc();
        }
    }

    pub fn mail(&self, kind: MailKind, result: MailResult) {
        if let Some(counters) = &self.0 {
            counters.mails.get_or_create(&by_kind(kind, result)).inc();
        }
    }
}

fn pairs<A: Copy, B: Copy>(of: &'static [A], and: &'static [B]) -> impl Iterator<Item = (A, B)> {
    of.iter().flat_map(|a| and.iter().map(|b| (*a, *b)))
}

fn by_method(method: impl Into<&'static str>, result: LoginResult) -> Labels<2> {
    [("method", method.into()), ("result", result.into())]
}

fn by_kind(kind: MailKind, result: MailResult) -> Labels<2> {
    [("kind", kind.into()), ("result", result.into())]
}

fn by_provider(provider: &str, result: &'static str) -> ByProvider {
    [
        ("provider", provider.to_owned()),
        ("result", result.to_owned()),
    ]
}
