//! The rules: who may do what, hashing, sessions, time. Knows `store`, knows nothing of HTTP.

use std::sync::Arc;

use crate::domain::strength;
use crate::store::db::Db;

pub mod account;
pub mod error;
pub mod events;
pub mod hashing;
pub mod limits;
pub mod login;
pub mod password;
pub mod session;
pub mod upkeep;

/// Everything a rule needs. `app.rs` builds one, tests build another; there are no globals.
#[derive(Clone)]
pub struct Services {
    pub db: Db,
    pub hasher: Arc<hashing::Hasher>,
    pub sessions: Arc<session::cache::SessionCache>,
    pub used_sessions: Arc<upkeep::UsedSessions>,
    pub events: Arc<events::EventQueue>,
    pub repeats: Arc<events::Repeats>,
    pub policy: Arc<Policy>,
}

/// Does work to its end though whoever asked for it hangs up: what was paid for is settled, what happened is noted.
pub async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = error::Result<T>> + Send + 'static,
) -> error::Result<T> {
    let lost = |error: tokio::task::JoinError| error::AuthError::Internal(error.to_string());
    tokio::spawn(work).await.map_err(lost)?
}

/// Says which unknown names share a bucket; the same on every instance.
pub type BucketKey = [u8; 64];

/// What the operator may choose.
#[derive(Debug, Clone)]
pub struct Policy {
    pub password: strength::Strength,
    pub lifetimes: session::live::Lifetimes,
    /// `None`: nothing is limited.
    pub limits: Option<BucketKey>,
}
