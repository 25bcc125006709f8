//! The store that actix-session requires.
//!
//! The rules in `auth` write the rows, because a failure there can still be reported to the client. So this loads and
//! saves nothing: its state only carries the new session key from a login to the cookie.

use std::collections::HashMap;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;

/// The entry that holds the new session key.
pub const NEW_KEY: &str = "new_key";

type State = HashMap<String, String>;

pub struct Keys;

impl SessionStore for Keys {
    /// Any key that we signed may be replaced or removed. Whether its session is live has been checked before.
    async fn load(&self, _: &SessionKey) -> Result<Option<State>, LoadError> {
        Ok(Some(State::new()))
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let json = state.get(NEW_KEY);
        let key = json.and_then(|json| serde_json::from_str::<String>(json).ok());
        let key = key.and_then(|key| SessionKey::try_from(key).ok());
        key.ok_or_else(|| SaveError::Other(anyhow::anyhow!("a session that no login started")))
    }

    async fn update(
        &self,
        key: SessionKey,
        _: State,
        _: &Duration,
    ) -> Result<SessionKey, UpdateError> {
        Ok(key)
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, _: &SessionKey) -> Result<(), anyhow::Error> {
        Ok(())
    }
}
