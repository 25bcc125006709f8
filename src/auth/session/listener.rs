//! Listens for changes made by any instance, or by anyone in psql, and invalidates the session cache. Announces them,
//! too: the triggers only write them into a table, because a transaction that notifies locks the whole database until its
//! commit is on disk.
//!
//! The cache is open only while this is known to work: a heartbeat through the same channel proves that the
//! connection is alive and that no pooler in between swallows notifications.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, timeout};
use uuid::Uuid;

use super::cache::SessionCache;
use crate::auth::services::Services;
use crate::domain::secret::{KeyHash, random};
use crate::store::db::notifications::{ListenError, Listener};

/// Together with the wait for the echo, this bounds how long a dead connection goes unnoticed: 3 s.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(2);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often to look for changes that nobody here made: in psql, by a command, or by an instance that died just then.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Runs until its task is dropped.
pub async fn run(services: Services) {
    let mut warned = false;
    loop {
        let error = match listen(&services, &mut warned).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        if !warned {
            tracing::warn!(%error, "lost the notification channel; sessions are read from the database until it is back");
            warned = true;
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

async fn listen(
    services: &Services,
    warned: &mut bool,
) -> Result<std::convert::Infallible, ListenError> {
    let mut listener = Listener::connect(services.db.connector()).await?;
    let _closing = CloseAtEnd(&services.sessions);
    // A random name, to tell our own echo from other instances'.
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let beat = Uuid::from_bytes(random().map_err(|_| ListenError::Closed)?).to_string();
    loop {
        listener.notify(&format!("h{beat}")).await?;
        let sent = Instant::now();
        let mut echoed = false;
        loop {
            let wait = if echoed {
                HEARTBEAT_EVERY
            } else {
                HEARTBEAT_TIMEOUT
            }
            .saturating_sub(sent.elapsed());
            tokio::select! {
                message = timeout(wait, listener.next()) => match message {
                    Ok(message) => echoed |= handle(services, &message?, &beat),
                    Err(_) if echoed => break,
                    Err(_) => return Err(ListenError::NoEcho),
                },
                () = services.changes.notified() => while listener.announce().await? {},
                _ = look.tick() => while listener.announce().await? {},
            }
            if echoed && !services.sessions.is_open() {
                services.sessions.open();
                if std::mem::take(warned) {
                    tracing::info!("the notification channel is back");
                }
            }
        }
    }
}

/// Closes the cache however listening ends.
struct CloseAtEnd<'a>(&'a SessionCache);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Handles a message. Returns whether it was our own heartbeat.
fn handle(services: &Services, message: &str, beat: &str) -> bool {
    let cache = &services.sessions;
    let Some((kind, rest)) = message.split_at_checked(1) else {
        return false;
    };
    match kind {
        "h" => return rest == beat,
        "s" => {
            if let Some(key_hash) = KeyHash::from_hex(rest) {
                cache.forget_session(&key_hash);
            }
        }
        "u" => {
            if let Ok(id) = Uuid::parse_str(rest) {
                cache.forget_user(&id);
            }
        }
        _ => {
            cache.close();
            cache.open();
        }
    }
    false
}
