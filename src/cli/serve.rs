//! `latchkey serve`: checks the settings, opens the database, and serves until told to stop.

use std::time::Duration;

use anyhow::bail;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::arguments::Notes;
use super::{database, log};
use crate::app::own::Own;
use crate::app::{self, Instance};
use crate::auth::operator;
use crate::auth::second_factor::resealing;
use crate::auth::services::Services;
use crate::config::{DatabaseSettings, NoPasskeys, Settings, Switch, stored_secret_key};
use crate::store::db::migrations;
use crate::store::db::server::connections_allowed;
use crate::store::local::LocalPostgres;

/// How long a balancer has to notice that /health/ready fails before connections are refused. At SIGINT, nobody waits.
const DRAIN: Duration = Duration::from_millis(500);

pub fn run(settings: &Settings, notes: &Notes, own: Own) -> anyhow::Result<()> {
    let warnings = settings.check().map_err(anyhow::Error::msg)?;
    log::start(&settings.log)?;
    if let Some(file) = &notes.file {
        tracing::info!(
            file,
            "read settings from a file; the environment overrides it"
        );
    }
    for warning in notes.warnings.iter().chain(&warnings) {
        tracing::warn!("{warning}");
    }
    log_verification(settings);
    log_passkeys(settings);
    let given_key = given_secret_key(settings)?;
    let database = database::open(&settings.database)?;
    let secret_key = match (given_key, &database.local) {
        (Some(key), _) => key,
        (None, Some(local)) => stored_secret_key(&local.directory().join("secret_key"))?,
        (None, None) => bail!("no secret key"),
    };
    if let Some(local) = &database.local {
        let pages = &settings.app.front;
        pages
            .check_data_dir(local.directory())
            .map_err(anyhow::Error::msg)?;
    }
    migrations::run(&database.connector)?;
    if let Some(own) = own.migrations {
        migrations::run_own(&database.connector, own)?;
    }
    actix_web::rt::System::new().block_on(async {
        let instance = app::build_with(
            settings,
            database.connector.clone(),
            &secret_key,
            &database.mail_folder,
            own.routes,
        )?;
        refuse_unreadable(&instance.services).await?;
        // Before anyone learns that the server is ready, and may stop it.
        let signals = Signals::listen()?;
        let imported_kib = operator::imported_kib(&instance.services).await?;
        for warning in settings.check_imported(imported_kib) {
            tracing::warn!("{warning}");
        }
        log_hash_memory(settings, imported_kib);
        greet(&instance, database.local.as_ref(), &settings.database);
        log_connections(settings, &instance).await;
        tracing::info!(address = %instance.address, "listening");
        app::run(instance, signals.told_to_stop()).await
    })
}

/// Nobody with such a secret could log in.
async fn refuse_unreadable(services: &Services) -> anyhow::Result<()> {
    if resealing::has_unreadable(services).await? {
        bail!(
            "LATCHKEY_SECRET_KEY cannot decrypt the secrets of the authenticator apps in the database: another key encrypted \
             them. Add that key to LATCHKEY_SECRET_KEY_OLD. If it is lost, run latchkey users reset-second-factor for each \
             user who has an app"
        );
    }
    Ok(())
}

fn log_hash_memory(settings: &Settings, imported_kib: u32) {
    tracing::info!(
        workers = settings.passwords.hash_workers(),
        at_most_mib = settings.passwords.hash_memory(imported_kib) / 1024 / 1024,
        "hashing passwords"
    );
}

/// With a mail server, there is no reason to leave it off but the convenience of those who register.
fn log_verification(settings: &Settings) {
    if settings.mail.smtp_url.is_some() && settings.app.require_verified_email == Switch::Off {
        tracing::info!(
            "LATCHKEY_REQUIRE_VERIFIED_EMAIL is off: people can log in before they verify their address"
        );
    }
}

fn log_passkeys(settings: &Settings) {
    if let Err(NoPasskeys::Impossible(why)) = settings.passkeys() {
        tracing::info!("passkeys are off: {why}");
    }
}

/// Instances that together want more connections than PostgreSQL allows fail only under load.
async fn log_connections(settings: &Settings, instance: &Instance) {
    let wanted = i64::try_from(settings.connections()).unwrap_or(i64::MAX);
    let asked = instance
        .services
        .db
        .run(async |conn| connections_allowed(conn).await);
    let Ok(allowed) = asked.await else { return };
    let instances = allowed / wanted;
    tracing::info!(
        at_most = wanted,
        allowed,
        instances,
        "database connections: PostgreSQL has room for this many such instances"
    );
    if instances == 0 {
        tracing::warn!(
            "this instance may open {wanted} database connections, but PostgreSQL allows {allowed}: lower \
             LATCHKEY_DB_POOL, or raise max_connections"
        );
    }
}

/// The key from the settings. `None` only for the local database, which stores its own.
fn given_secret_key(settings: &Settings) -> anyhow::Result<Option<String>> {
    let key = settings.secret_key.read()?;
    if key.is_none() && !settings.database.is_private() {
        bail!(
            "LATCHKEY_SECRET_KEY is not set. With DATABASE_URL, every instance needs the same key. Create it once:\n  \
             export LATCHKEY_SECRET_KEY=$(openssl rand -hex 32)"
        );
    }
    Ok(key)
}

#[expect(
    clippy::print_stdout,
    reason = "the greeting is for the person who started the server"
)]
fn greet(instance: &Instance, local: Option<&LocalPostgres>, settings: &DatabaseSettings) {
    let site = &instance.site;
    let base = site.public_url.as_str();
    let version = env!("CARGO_PKG_VERSION");
    let first = match site.front {
        Some(_) => "",
        None => "swagger-ui/",
    };
    println!("Latchkey {version} is ready. Open {base}{first}");
    println!("  API         {base}api");
    println!("  API docs    {base}swagger-ui/");
    let factors = match instance.services.policy.admin_second_factor {
        true => "open to administrators, with two factors (LATCHKEY_ADMIN_SECOND_FACTOR is on)",
        false => "open to administrators, with one factor (LATCHKEY_ADMIN_SECOND_FACTOR is off)",
    };
    println!("  Admin API   {base}api/admin ({factors})");
    if site.kept_mails.is_some() {
        println!("  Mailbox     {base}dev/mailbox");
    }
    // Tests read the address from this line.
    let address = instance.address;
    match site.public_url.host_str() {
        Some("localhost") => println!(
            "  Listening   http://{address} (open localhost in the browser, to which 127.0.0.1 is another site)"
        ),
        _ => println!("  Listening   http://{address}"),
    }
    if let Some(ops) = &instance.ops {
        println!("  Metrics     http://{}/metrics", ops.address);
    }
    if let Some(local) = local {
        let directory = local.directory().display();
        println!("  Data        {directory} (look inside: {})", local.psql());
        if !local.is_where_asked(&settings.data_dir) {
            let asked = settings.data_dir.display();
            println!(
                "              not in {asked}: PostgreSQL's account cannot reach that directory, or another account \
                 could replace it"
            );
        }
    }
    println!("Stop with Ctrl-C.");
}

/// Listens for SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves when a signal tells the server to stop, to how long it should announce that. A second SIGINT ends the
    /// process at once.
    async fn told_to_stop(mut self) -> Duration {
        tokio::select! {
            _ = self.terminate.recv() => DRAIN,
            _ = self.interrupt.recv() => {
                actix_web::rt::spawn(async move {
                    self.interrupt.recv().await;
                    std::process::exit(130);
                });
                Duration::ZERO
            }
        }
    }
}
