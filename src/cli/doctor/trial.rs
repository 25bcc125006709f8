//! The user that the doctor logs in: created for the trial and deleted afterwards, even if the doctor is interrupted.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;

use crate::app;
use crate::auth::metrics::Metrics;
use crate::auth::second_factor::sealed::Sealer;
use crate::auth::services::{Policy, Services};
use crate::auth::{account, deletion};
use crate::cli::database;
use crate::config::Settings;
use crate::domain::client::Client;
use crate::domain::secret::SessionKey;
use crate::store::users::User;

/// The user while they exist. Locked while they are being created or deleted.
type Trial = Arc<Mutex<Option<User>>>;

/// Runs `work` with a new user, who is deleted afterwards unless the process gets a kill -9. From then on, signals end
/// the doctor only while `runtime` lives.
pub fn with_somebody(
    runtime: &Runtime,
    settings: &Settings,
    work: impl FnOnce(&Services, &User, &str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let database = database::visit(&settings.database)?;
    let services = app::services(
        &settings.database,
        &settings.passwords,
        Policy::of_operators(settings.passwords.strength()),
        None,
        Sealer::of_nobody()?,
        database.connector.clone(),
        Metrics::default(),
    )?;
    let trial = Trial::default();
    delete_when_told_to_stop(runtime, &services, &trial)?;
    let (name, password) = (format!("doctor-{}", &random()?[..16]), random()?);
    let user = runtime.block_on(async {
        let mut place = trial.lock().await;
        let user = register(&services, &name, &password).await?;
        *place = Some(user.clone());
        anyhow::Ok(user)
    })?;
    let done = work(&services, &user, &password);
    runtime.block_on(delete(&services, &trial))?;
    done
}

/// SIGINT, SIGTERM and a closed terminal end the doctor as usual, but only after its user is deleted.
fn delete_when_told_to_stop(
    runtime: &Runtime,
    services: &Services,
    trial: &Trial,
) -> anyhow::Result<()> {
    let _entered = runtime.enter();
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    for kind in kinds {
        let mut told = signal(kind)?;
        let (services, trial) = (services.clone(), trial.clone());
        runtime.spawn(async move {
            told.recv().await;
            if let Err(error) = delete(&services, &trial).await {
                eprintln!("latchkey: {error:#}");
            }
            std::process::exit(128 + kind.as_raw_value());
        });
    }
    Ok(())
}

async fn delete(services: &Services, trial: &Trial) -> anyhow::Result<()> {
    let mut place = trial.lock().await;
    let Some(user) = place.take() else {
        return Ok(());
    };
    let name = &user.username;
    deletion::delete(services, user.id).await.with_context(|| {
        format!("the user {name} was not deleted; delete them with latchkey users delete {name}")
    })
}

async fn register(services: &Services, name: &str, password: &str) -> anyhow::Result<User> {
    let address = format!("{name}@example.com");
    let mut form = account::Registration::of(name, &address, password.to_owned());
    form.vouched_for = true;
    let doctor = Client::at_shell("latchkey doctor");
    let user = account::register(services, form, &doctor).await;
    user.context("cannot create a user for the trial")
}

fn random() -> anyhow::Result<String> {
    Ok(SessionKey::generate()?.cookie_value().to_owned())
}
