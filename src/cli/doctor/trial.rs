//! The user whom the doctor logs in: made for the trial, and gone after it.

use std::net::{IpAddr, Ipv4Addr};

use uuid::Uuid;

use crate::app;
use crate::auth::client::{Client, Devices};
use crate::auth::key::SessionKey;
use crate::auth::{Services, account};
use crate::config::Settings;
use crate::store::users::User;

/// Runs with a user made for it, who is gone afterwards in any case.
pub fn with_somebody(
    settings: &Settings,
    work: impl FnOnce(&User, &str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (connector, _local) = crate::cli::open(&settings.database, true)?;
    let services = app::services(
        &settings.database,
        &settings.passwords,
        settings.lifetimes(),
        false,
        [0; 32],
        connector,
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (name, password) = (format!("doctor-{}", &random()?[..16]), random()?);
    let user = runtime.block_on(register(&services, &name, &password))?;
    let done = work(&user, &password);
    let gone = runtime.block_on(account::delete(&services, &user));
    gone.map_err(|error| anyhow::anyhow!("user {name} could not be removed again: {error:?}"))?;
    done
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
