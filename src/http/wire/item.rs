//! Ids in paths.

use uuid::Uuid;

use crate::auth::error::AuthError;

/// Nothing has an id that is none.
pub fn id(text: &str) -> Result<Uuid, AuthError> {
    Uuid::parse_str(text).map_err(|_| AuthError::ItemNotFound)
}
