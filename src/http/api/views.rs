//! Response bodies that several features share.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::wire::timestamp::Timestamp;
use crate::store::{sessions, users};

/// What users may see of themselves, and nothing else.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView<'a> {
    id: Uuid,
    #[schema(example = "susan")]
    username: &'a str,
    #[schema(example = "susan@example.com")]
    email: &'a str,
    email_verified: bool,
    created_at: Timestamp,
    last_login_at: Option<Timestamp>,
}

impl<'a> From<&'a users::User> for UserView<'a> {
    fn from(user: &'a users::User) -> Self {
        Self {
            id: user.id,
            username: &user.username,
            email: &user.email,
            email_verified: user.email_verified_at.is_some(),
            created_at: user.created_at.into(),
            last_login_at: user.last_login_at.map(Timestamp),
        }
    }
}

/// The session of this browser.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    id: Uuid,
    remembered: bool,
    created_at: Timestamp,
    /// When the password was last entered.
    authenticated_at: Timestamp,
    /// When it ends if it is not used again.
    expires_at: Timestamp,
}

impl SessionView {
    pub fn new(session: &sessions::Session, expires_at: DateTime<Utc>) -> Self {
        Self {
            id: session.id,
            remembered: session.remembered,
            created_at: session.created_at.into(),
            authenticated_at: session.authenticated_at.into(),
            expires_at: expires_at.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct Revoked {
    /// How many sessions ended.
    pub revoked: usize,
}
