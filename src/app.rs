//! Puts the parts together: settings in, a running server out.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::{Extensions, Server};
use actix_web::web::{Bytes, Data};
use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use socket2::SockRef;

use crate::auth::hasher::Hasher;
use crate::auth::recognized::Lifetimes;
use crate::auth::session_cache::SessionCache;
use crate::auth::{Policy, Services, listener, upkeep};
use crate::config::{DatabaseSettings, PasswordSettings, Settings, Switch};
use crate::http::client::TrustedProxies;
use crate::http::cookies::Cookies;
use crate::http::cross_origin::CrossOrigin;
use crate::http::operations::{Documents, Health};
use crate::http::{self, Site, openapi};
use crate::memory;
use crate::store::connection::Connector;
use crate::store::db::Db;

/// Sessions kept in memory by each instance, some 700 bytes each.
const CACHED_SESSIONS: usize = 100_000;
/// RFC 9110 names no figure; nginx waits 60 s for headers, Slowloris needs minutes. SECURITY E2 asks for 5 s.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// Within 30 s after a flood the memory shall be as before (SECURITY R6).
const GIVE_BACK_EVERY: Duration = Duration::from_secs(10);
/// Of an answer that its reader has not read yet; ours are smaller, but for static files.
const WRITE_BUFFER: usize = 8 * 1024;
/// The kernel's part of the same; it doubles this.
const SEND_BUFFER: usize = 32 * 1024;
/// A reader that takes nothing for so long is gone, or never was one (SECURITY E6 asks for 30 s).
const READ_WITHIN: Duration = Duration::from_secs(25);
/// Time for requests under way when the server stops, in seconds.
const FINISH_WITHIN: u64 = 8;

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
    rate_limits: bool,
    bucket_key: [u8; 32],
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
            rate_limits,
            bucket_key,
        }),
    })
}

/// Binds the address and builds the server; it serves once polled. Needs actix's runtime.
pub fn build(
    settings: &Settings,
    connector: Connector,
    secret_key: &str,
) -> anyhow::Result<Instance> {
    let services = services(
        &settings.database,
        &settings.passwords,
        settings.lifetimes(),
        settings.rate_limits == Switch::On,
        Sha256::digest(format!("latchkey buckets\0{secret_key}")).into(),
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
    let server = HttpServer::new(move || {
        let worker = Services {
            db: each.db.for_worker(),
            ..each.clone()
        };
        http::app(worker, site.clone(), documents.clone())
    })
    .workers(settings.workers())
    .client_request_timeout(HEADERS_WITHIN)
    .h1_write_buffer_size(WRITE_BUFFER)
    .on_connect(bound_writing)
    .shutdown_timeout(FINISH_WITHIN)
    .disable_signals()
    .bind(settings.listen)
    .map_err(|error| anyhow::anyhow!("cannot listen on {}: {error}", settings.listen))?;
    let address = server.addrs().first().copied().unwrap_or(settings.listen);
    Ok(Instance {
        server: server.run(),
        address,
        services,
        health,
    })
}

/// A connection whose other end does not read holds little, and not for long.
fn bound_writing(connection: &dyn Any, _: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() else {
        return;
    };
    let socket = SockRef::from(stream);
    let bounded = socket.set_send_buffer_size(SEND_BUFFER);
    // RFC 5482; elsewhere the kernel's own patience has to do.
    #[cfg(target_os = "linux")]
    let bounded = bounded.and_then(|()| socket.set_tcp_user_timeout(Some(READ_WITHIN)));
    if let Err(error) = bounded {
        tracing::debug!(%error, "a connection is without bounds for its reader");
    }
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
