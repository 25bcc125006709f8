//! A change of the secret key: secrets that it cannot open keep the server from starting, and those under an old key are
//! sealed again.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::sealed::{Prefix, VERSION};
use crate::auth::error::Result;
use crate::auth::services::Services;
use crate::store::second_factor::seals::{self, Sealed};

/// Secrets at a time: a few milliseconds' work.
const BATCH: i64 = 100;
/// While instances change over one after the other, those with the former key still seal under it.
const AGAIN_EVERY: Duration = Duration::from_secs(10 * 60);

/// Whether some users have an authenticator app whose secret no key of ours opens. One in a layout of another release does
/// not count: to refuse the start would not help.
pub async fn has_unreadable(services: &Services) -> Result<bool> {
    let in_use = services
        .db
        .run(async |conn| seals::keys_in_use(conn).await)
        .await?;
    let ours = services.sealer.prefixes();
    let is_ours = |key: &Vec<u8>| ours.iter().any(|our| our[..] == key[..]);
    let is_known = |key: &Vec<u8>| key.first() == Some(&VERSION);
    Ok(in_use.iter().any(|key| is_known(key) && !is_ours(key)))
}

/// Seals again what is under an old key, for as long as there is one.
pub async fn keep_resealing(services: &Services) {
    if services.sealer.prefixes().len() == 1 {
        return;
    }
    let mut again = interval(AGAIN_EVERY);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        again.tick().await;
        match reseal(services).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(
                count,
                "sealed the secrets of authenticator apps again, under LATCHKEY_SECRET_KEY"
            ),
            Err(error) => tracing::debug!(%error, "sealing secrets again waits for the database"),
        }
    }
}

/// Returns how many were sealed again.
async fn reseal(services: &Services) -> Result<usize> {
    let current = services.sealer.current_prefix();
    let mut count = 0;
    for key in services.sealer.prefixes() {
        if key != current {
            count += reseal_from(services, &key).await?;
        }
    }
    Ok(count)
}

async fn reseal_from(services: &Services, key: &Prefix) -> Result<usize> {
    let (mut count, mut after) = (0, Uuid::nil());
    loop {
        let page = services
            .db
            .run(async |conn| seals::page(conn, key, after, BATCH).await)
            .await?;
        let Some(last) = page.last() else {
            return Ok(count);
        };
        after = last.user_id;
        for Sealed { user_id, secret } in &page {
            // One that was damaged stays as it is.
            let Some(opened) = services.sealer.open(*user_id, secret) else {
                continue;
            };
            let sealed = services.sealer.seal(*user_id, &opened.bytes)?;
            count += services
                .db
                .run(async |conn| seals::replace(conn, *user_id, secret, &sealed).await)
                .await?;
        }
    }
}
