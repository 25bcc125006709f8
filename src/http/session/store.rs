//! What actix-session asks of a store, on our sessions in PostgreSQL and their cache.
//!
//! The rules in `auth` write the rows; the state that actix-session carries only says whose session it is. Nothing in
//! it changes after the login, so a request in flight can never bring an ended session back.

use std::cell::RefCell;
use std::collections::HashMap;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;
use actix_web::web::Data;

use super::browser::{BROKEN, KEY_HASH, NEW_KEY, UNAVAILABLE, USER_ID};
use crate::auth::Services;
use crate::auth::error::AuthError;
use crate::auth::session::{self, Visit};
use crate::domain::secret::KeyHash;

type State = HashMap<String, String>;

/// The visit that was recognised last on this worker. Between [`SessionStore::load`] and the handler's arguments
/// nothing else runs on the worker, so that the arguments find here what the store found, and need not look again.
#[derive(Default)]
pub struct LastVisit(RefCell<Option<Visit>>);

impl LastVisit {
    /// The visit under this key, if it is the last one; it is given away once.
    pub fn take(&self, key_hash: &KeyHash) -> Option<Visit> {
        self.0
            .take()
            .filter(|visit| visit.recognized.key_hash == *key_hash)
    }
}

pub struct PgSessionStore {
    services: Services,
    last: Data<LastVisit>,
}

impl PgSessionStore {
    pub fn new(services: Services, last: Data<LastVisit>) -> Self {
        Self { services, last }
    }
}

impl SessionStore for PgSessionStore {
    /// Never an error: a route that needs no session must answer while the database is away, and one that does finds
    /// the mark and answers 503, or 500 where the mistake is ours.
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let key_hash = KeyHash::of(key.as_ref());
        let visit = match session::recall(&self.services, &key_hash) {
            Some(visit) => Ok(Some(visit)),
            None => session::recognize(&self.services, key_hash).await,
        };
        Ok(match visit {
            Ok(None) => None,
            Ok(Some(visit)) => {
                let user_id = quoted(&visit.user.id.to_string());
                self.last.0.replace(Some(visit));
                Some(State::from([
                    (USER_ID.to_owned(), user_id),
                    (KEY_HASH.to_owned(), quoted(&key_hash.to_hex())),
                ]))
            }
            Err(AuthError::DatabaseUnavailable(why)) => Some(failed(UNAVAILABLE, &why)),
            Err(error) => Some(failed(BROKEN, &format!("{error:?}"))),
        })
    }

    /// The row is there already: `log_in` made it with the key it put into the state.
    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let key = state
            .get(NEW_KEY)
            .and_then(|json| serde_json::from_str::<String>(json).ok());
        let key = key.and_then(|key| SessionKey::try_from(key).ok());
        key.ok_or_else(|| SaveError::Other(anyhow::anyhow!("a session that no log-in started")))
    }

    /// Never inserts, never updates: there is no state to keep.
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

    /// `log_out` ended the row before it purged the state, where a failure can still be told to the client.
    async fn delete(&self, _: &SessionKey) -> Result<(), anyhow::Error> {
        Ok(())
    }
}

fn failed(mark: &str, why: &str) -> State {
    State::from([(mark.to_owned(), serde_json::json!(why).to_string())])
}

/// actix-session's state holds JSON; hexadecimal digits and hyphens need no escaping.
fn quoted(text: &str) -> String {
    ["\"", text, "\""].concat()
}
