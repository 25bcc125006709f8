//! A place in the order of time.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// When something happened, and which of the things of that instant it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub at: DateTime<Utc>,
    pub id: Uuid,
}
