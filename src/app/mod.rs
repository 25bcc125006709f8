//! Wires the parts together: settings in, a running server out.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::Data;
use futures_util::FutureExt;
use tokio::time::timeout;

use crate::auth::events::queue::EventQueue;
use crate::auth::events::repeats::Repeats;
use crate::auth::hashing::Hasher;
use crate::auth::limits::{BucketKey, Limits};
use crate::auth::metrics::Metrics;
use crate::auth::outbox::mailer::Mailer;
use crate::auth::second_factor::sealed::Sealer;
use crate::auth::services::{Policy, Services};
use crate::auth::session::cache::SessionCache;
use crate::auth::session::listener;
use crate::auth::upkeep;
use crate::config::{DatabaseSettings, PasswordSettings, Settings, Switch};
use crate::domain::secret;
use crate::http::server::door::Door;
use crate::http::site::{Health, OwnRoutes, Site};
use crate::http::{self, server};
use crate::store::db::Db;
use crate::store::db::connection::Connector;
use metrics::Exposition;
use ops::Ops;

pub mod mail;
pub mod memory;
pub mod metrics;
pub mod ops;
pub mod own;
pub mod site;

/// Sessions that each instance caches, at about 700 bytes each.
const CACHED_SESSIONS: usize = 100_000;
/// After a flood, memory must come back within 30 s (SECURITY R6).
const GIVE_BACK_EVERY: Duration = Duration::from_secs(10);

/// At the end, for the mails under way. Whatever is cut short is sent again.
const MAILS_END_WITHIN: Duration = Duration::from_secs(3);

/// A server that is ready to run.
pub struct Instance {
    pub server: Server,
    pub door: Door,
    pub address: std::net::SocketAddr,
    pub site: Data<Site>,
    pub services: Services,
    pub mailer: Arc<Mailer>,
    pub ops: Option<Ops>,
    pub health: Arc<Health>,
}

/// Builds what the rules need, for the server and for commands.
pub fn services(
    database: &DatabaseSettings,
    passwords: &PasswordSettings,
    policy: Policy,
    limits: Option<BucketKey>,
    sealer: Sealer,
    connector: Connector,
    metrics: Metrics,
) -> anyhow::Result<Services> {
    let db = Db::new(connector, usize::from(database.db_pool));
    let events = Arc::new(EventQueue::new(db.clone()));
    let repeats = Arc::new(Repeats::new(events.clone()));
    Ok(Services {
        hasher: Arc::new(Hasher::start(
            passwords.argon2.clone(),
            passwords.hash_workers(),
            metrics.clone(),
        )?),
        mailbox: Arc::default(),
        sealer: Arc::new(sealer),
        sessions: Arc::new(SessionCache::new(CACHED_SESSIONS)),
        used_sessions: Arc::default(),
        changes: Arc::default(),
        limits: Arc::new(Limits::new(
            db.clone(),
            repeats.clone(),
            limits,
            metrics.clone(),
        )),
        db,
        events,
        repeats,
        policy: Arc::new(policy),
        passkeys: None,
        providers: Arc::default(),
        metrics,
    })
}

/// Binds the addresses and builds the server, which serves once polled. Requires actix's runtime.
pub fn build(
    settings: &Settings,
    connector: Connector,
    secret_key: &str,
    mail_folder: &Path,
) -> anyhow::Result<Instance> {
    build_with(settings, connector, secret_key, mail_folder, None)
}

/// The same with services of your own.
pub fn build_with(
    settings: &Settings,
    connector: Connector,
    secret_key: &str,
    mail_folder: &Path,
    own_routes: Option<OwnRoutes>,
) -> anyhow::Result<Instance> {
    let mut counted = settings.server.metrics_listen.map(|_| metrics::registry());
    let mut services = services(
        &settings.database,
        &settings.passwords,
        settings.policy(),
        (settings.limits.rate_limits == Switch::On).then(|| secret::derived("buckets", secret_key)),
        Sealer::new(secret_key, settings.secret_key.old_keys()),
        connector,
        counted.as_mut().map(Metrics::register).unwrap_or_default(),
    )?;
    let mut mailer = mail::mailer(settings, &services, secret_key, mail_folder)?;
    // Whatever is wrong with the settings is told before whatever is wrong with the port.
    let listener = server::listen("LATCHKEY_LISTEN", settings.server.listen)?;
    let (address, door) = (listener.local_addr()?, Door::of(&listener)?);
    let settings = &settings.bound_to(address);
    mailer.app_url = settings.app_url();
    site::offer(settings, &mut services)?;
    let health = Arc::new(Health::default());
    let documents = Data::new(site::documents()?);
    let site = || site::site(settings, &services, secret_key, health.clone());
    let public = Site {
        kept_mails: mail::shown(settings, mail_folder),
        own_routes,
        front: site::front(settings, mail_folder),
        watch: site::watch(settings, &documents, counted.as_mut()),
        ..site()
    };
    let ops = counted.zip(settings.server.metrics_listen);
    let ops = ops.map(|(counted, address)| {
        let services = services.clone();
        ops::build(address, site(), Exposition { counted, services })
    });
    let public = Data::new(public);
    let (each, site) = (services.clone(), public.clone());
    let server = server::serve(listener, settings.server.workers(), move || {
        let worker = Services {
            db: each.db.for_worker(),
            ..each.clone()
        };
        http::app(worker, site.clone(), documents.clone())
    })?;
    Ok(Instance {
        server,
        door,
        address,
        site: public,
        services,
        mailer: Arc::new(mailer),
        ops: ops.transpose()?,
        health,
    })
}

/// Serves, with the background work, until `told` to stop. It says how long /health/ready fails before that.
pub async fn run(
    instance: Instance,
    told: impl Future<Output = Duration> + 'static,
) -> anyhow::Result<()> {
    let handle = instance.server.handle();
    let stopping = actix_web::rt::spawn(async move {
        let announced = told.await;
        instance.health.draining.store(true, Ordering::Relaxed);
        tokio::time::sleep(announced).await;
        tracing::info!("stopping");
        instance.door.close().await;
        handle.stop(true).await;
    });
    let mailer = instance.mailer.clone();
    let background = [
        actix_web::rt::spawn(restarting(instance.services.clone(), listener::run)),
        actix_web::rt::spawn(restarting(instance.services.clone(), upkeep::run)),
        actix_web::rt::spawn(restarting(instance.services.clone(), give_memory_back)),
        actix_web::rt::spawn(restarting((), async move |()| mailer.clone().run().await)),
    ];
    let ops = instance.ops.map(|ops| {
        let handle = ops.server.handle();
        (handle, actix_web::rt::spawn(ops.server))
    });
    let result = instance.server.await;
    stopping.abort();
    let _ = timeout(MAILS_END_WITHIN, instance.mailer.places.close()).await;
    background.iter().for_each(|task| task.abort());
    if let Some((handle, server)) = ops {
        handle.stop(false).await;
        let _ = server.await;
    }
    // The workers have ended, and with them the connections that they opened.
    instance.services.db.drop_all_connections();
    if let Err(error) = upkeep::finish(&instance.services).await {
        tracing::warn!(%error, "the last security events could not be written");
    }
    Ok(result?)
}

/// Returns free memory periodically. The call blocks, so it runs on a thread of its own.
async fn give_memory_back(_: Services) {
    loop {
        tokio::time::sleep(GIVE_BACK_EVERY).await;
        let _ = tokio::task::spawn_blocking(memory::give_back).await;
    }
}

/// Background work never ends. If it panics, it is restarted.
async fn restarting<T: Clone>(with: T, work: impl AsyncFn(T)) {
    loop {
        let end = AssertUnwindSafe(work(with.clone())).catch_unwind().await;
        tracing::error!(
            panicked = end.is_err(),
            "background work ended; restarting it"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
