//! Puts the parts together: settings in, a running server out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{Bytes, Data};
use futures_util::FutureExt;

use crate::auth::hashing::Hasher;
use crate::auth::session::cache::SessionCache;
use crate::auth::session::listener;
use crate::auth::session::live::Lifetimes;
use crate::auth::{BucketKey, Policy, Services, upkeep};
use crate::config::{DatabaseSettings, PasswordSettings, Settings, Switch};
use crate::domain::secret as key;
use crate::http::api::operations::{Documents, Health};
use crate::http::edge::client::TrustedProxies;
use crate::http::edge::cross_origin::CrossOrigin;
use crate::http::session::cookies::Cookies;
use crate::http::{self, Site, openapi, server};
use crate::store::db::Db;
use crate::store::db::connection::Connector;

pub mod memory;

/// Sessions kept in memory by each instance, some 700 bytes each.
const CACHED_SESSIONS: usize = 100_000;
/// Within 30 s after a flood the memory shall be as before (SECURITY R6).
const GIVE_BACK_EVERY: Duration = Duration::from_secs(10);
/// A server that is ready to run.
pub struct Instance {
    pub server: Server,
    pub address: std::net::SocketAddr,
    pub services: Services,
    pub health: Arc<Health>,
}

/// The rules' side, for the server and for commands.
pub fn services(
    database: &DatabaseSettings,
    passwords: &PasswordSettings,
    lifetimes: Lifetimes,
    limits: Option<BucketKey>,
    connector: Connector,
) -> anyhow::Result<Services> {
    let hasher = Hasher::start(passwords.argon2.clone(), passwords.hash_workers());
    Ok(Services {
        db: Db::new(connector, usize::from(database.db_pool)),
        hasher: Arc::new(hasher.map_err(|error| anyhow::anyhow!("{error:?}"))?),
        sessions: Arc::new(SessionCache::new(CACHED_SESSIONS)),
        used_sessions: Arc::default(),
        events: Arc::default(),
        repeats: Arc::default(),
        policy: Arc::new(Policy {
            password: passwords.strength(),
            lifetimes,
            limits,
        }),
    })
}

/// Binds the address and builds the server; it serves once polled. Needs actix's runtime.
pub fn build(
    settings: &Settings,
    connector: Connector,
    secret_key: &str,
) -> anyhow::Result<Instance> {
    let limits = settings.rate_limits == Switch::On;
    let services = services(
        &settings.database,
        &settings.passwords,
        settings.lifetimes(),
        limits.then(|| key::derived("buckets", secret_key)),
        connector,
    )?;
    let origin = settings.public_url.origin().ascii_serialization();
    let health = Arc::new(Health::default());
    let site = Data::new(Site {
        public_url: settings.public_url.clone(),
        cookies: Cookies::new(secret_key, settings.is_https()),
        cross_origin: CrossOrigin::new(origin, settings.trusted_origins.clone()),
        trusted_proxies: TrustedProxies::new(settings.trusted_proxies.clone()),
        health: health.clone(),
        repeats: services.repeats.clone(),
    });
    let document = http::document();
    let documents = Data::new(Documents {
        openapi: Bytes::from(document.to_json()?),
        operations: openapi::operations(&document),
    });
    let each = services.clone();
    let listener = server::listen(settings.listen);
    let listener = listener
        .map_err(|error| anyhow::anyhow!("cannot listen on {}: {error}", settings.listen))?;
    let address = listener.local_addr()?;
    let server = server::serve(listener, settings.workers(), move || {
        let worker = Services {
            db: each.db.for_worker(),
            ..each.clone()
        };
        http::app(worker, site.clone(), documents.clone())
    })?;
    Ok(Instance {
        server,
        address,
        services,
        health,
    })
}

/// Serves until stopped, with the work beside the requests.
pub async fn run(instance: Instance) -> anyhow::Result<()> {
    let beside = [
        actix_web::rt::spawn(again_and_again(instance.services.clone(), listener::run)),
        actix_web::rt::spawn(again_and_again(instance.services.clone(), upkeep::run)),
        actix_web::rt::spawn(again_and_again(instance.services.clone(), stay_small)),
    ];
    let result = instance.server.await;
    beside.iter().for_each(|task| task.abort());
    if let Err(error) = upkeep::finish(&instance.services).await {
        tracing::warn!(?error, "the last events could not be written");
    }
    Ok(result?)
}

/// A blocking call on a thread of its own, so that nothing waits for it but whoever allocates at that moment.
async fn stay_small(_: Services) {
    loop {
        tokio::time::sleep(GIVE_BACK_EVERY).await;
        let _ = tokio::task::spawn_blocking(memory::give_back).await;
    }
}

/// Work that never ends begins anew should it panic.
async fn again_and_again(services: Services, work: impl AsyncFn(Services)) {
    loop {
        let end = AssertUnwindSafe(work(services.clone()))
            .catch_unwind()
            .await;
        tracing::error!(panicked = end.is_err(), "work beside the requests ended");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
