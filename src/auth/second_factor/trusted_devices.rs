//! Browsers in which a login needs no second factor. A row says so, under the id in the device cookie, so that it can be
//! taken back.

use ipnet::IpNet;
use uuid::Uuid;

use crate::auth::error::{AuthError, Result};
use crate::auth::events::Kind;
use crate::auth::services::Services;
use crate::auth::session::Started;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
pub use crate::store::second_factor::trusted_devices::TrustedDevice;
use crate::store::second_factor::trusted_devices::{self, NewDevice};
use crate::store::sessions;
use crate::store::users::{self, Account};

/// Trusts the browser of a session that has just started, unless that has ended meanwhile: what ends it ends the trust,
/// too. A login does not fail for it. The browser gets a new name, so that no older copy of its cookie is trusted.
pub async fn trust(services: &Services, account: &Account, started: &mut Started, client: &Client) {
    match try_to_trust(services, account, started, client).await {
        Ok(true) => {
            let kind = Kind::DeviceTrusted;
            let user_id = Some(account.user.id);
            services.events.record(kind, user_id, client).await;
        }
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "cannot trust the browser of a user"),
    }
}

async fn try_to_trust(
    services: &Services,
    account: &Account,
    started: &mut Started,
    client: &Client,
) -> Result<bool> {
    let lifetime = services.policy.trust_device_for;
    let (user_id, epoch) = (account.user.id, account.password_epoch);
    if lifetime.is_zero() {
        return Ok(false);
    }
    let since = started.session.created_at;
    let devices = client.devices.clone().renamed(user_id, epoch, since)?;
    let Some(id) = devices.id_of(user_id, epoch) else {
        return Ok(false);
    };
    let device = NewDevice {
        id,
        user_id,
        user_agent: client.user_agent.as_deref(),
        ip: IpNet::from(client.ip),
        lifetime,
    };
    let session = started.session.id;
    let trusted = services.db.transaction(async |conn| {
        users::lock(conn, user_id).await?;
        let lasts = sessions::exists(conn, session).await?;
        if lasts {
            trusted_devices::insert(conn, &device).await?;
        }
        Ok(lasts)
    });
    let trusted = trusted.await?;
    if trusted {
        started.issued.devices = Some(devices);
    }
    Ok(trusted)
}

pub async fn list(services: &Services, user_id: Uuid) -> Result<Vec<TrustedDevice>> {
    let devices = services
        .db
        .run(async |conn| trusted_devices::list(conn, user_id).await);
    Ok(devices.await?)
}

/// The next login from there asks for the second factor again.
pub async fn forget(services: &Services, visit: &Visit, id: Uuid, client: &Client) -> Result<()> {
    let user_id = visit.user.id;
    let removed = services
        .db
        .run(async |conn| trusted_devices::remove(conn, user_id, id).await);
    if !removed.await? {
        return Err(AuthError::ItemNotFound);
    }
    note(services, user_id, client).await;
    Ok(())
}

pub async fn forget_all(services: &Services, visit: &Visit, client: &Client) -> Result<()> {
    let user_id = visit.user.id;
    let removed = services
        .db
        .run(async |conn| trusted_devices::remove_all(conn, user_id).await);
    if removed.await? > 0 {
        note(services, user_id, client).await;
    }
    Ok(())
}

async fn note(services: &Services, user_id: Uuid, client: &Client) {
    let kind = Kind::DeviceForgotten;
    services.events.record(kind, Some(user_id), client).await;
}
