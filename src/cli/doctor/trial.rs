//! The user whom the doctor logs in: made for the trial, and gone after it, also when the doctor is told to stop.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::app;
use crate::auth::{Services, account};
use crate::config::Settings;
use crate::domain::client::{Client, Devices};
use crate::domain::secret::SessionKey;
use crate::store::users::User;

/// The user while there is one; held while they are made or removed.
type Trial = Arc<Mutex<Option<User>>>;

/// Runs with a user made for it, who is gone afterwards in any case but kill -9.
pub fn with_somebody(
    settings: &Settings,
    work: impl FnOnce(&User, &str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (connector, _local) = crate::cli::open(&settings.database, true)?;
    let services = app::services(
        &settings.database,
        &settings.passwords,
        settings.lifetimes(),
        None,
        connector,
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let trial = Trial::default();
    remove_when_told_to_stop(&runtime, &services, &trial)?;
    let (name, password) = (format!("doctor-{}", &random()?[..16]), random()?);
    let user = runtime.block_on(async {
        let mut place = trial.lock().await;
        let user = register(&services, &name, &password).await?;
        *place = Some(user.clone());
        anyhow::Ok(user)
    })?;
    let done = work(&user, &password);
    runtime.block_on(remove(&services, &trial))?;
    done
}

/// SIGINT, SIGTERM and a closed terminal end the doctor as ever, but not before its user is gone.
fn remove_when_told_to_stop(
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
            if let Err(error) = remove(&services, &trial).await {
                eprintln!("latchkey: {error:#}");
            }
            std::process::exit(128 + kind.as_raw_value());
        });
    }
    Ok(())
}

async fn remove(services: &Services, trial: &Trial) -> anyhow::Result<()> {
    let mut place = trial.lock().await;
    let Some(user) = place.take() else {
        return Ok(());
    };
    let gone = account::delete(services, &user).await;
    gone.map_err(|error| {
        let name = &user.username;
        anyhow::anyhow!(
            "user {name} could not be removed again; latchkey users delete {name} does it: {error:?}"
        )
    })
}

async fn register(services: &Services, name: &str, password: &str) -> anyhow::Result<User> {
    let form = account::Registration {
        username: Ok(name.to_owned()),
        email: Ok(format!("{name}@example.com")),
        password: Ok(password.to_owned()),
        password2: None,
    };
    let doctor = Client {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: Some("latchkey doctor".to_owned()),
        request_id: Uuid::nil(),
        devices: Devices::default(),
    };
    let user = account::register(services, form, &doctor).await;
    user.map_err(|error| anyhow::anyhow!(
            "no user could be made for the trial; run the doctor with the settings of the server (DATABASE_URL or \
             LATCHKEY_DATA_DIR): {error:?}"
        ))
}

fn random() -> anyhow::Result<String> {
    let key = SessionKey::generate().map_err(|error| anyhow::anyhow!("{error:?}"))?;
    Ok(key.into_cookie_value())
}
