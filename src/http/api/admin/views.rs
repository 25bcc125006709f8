//! What administrators see of a user.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::administration::Listed;
use crate::http::wire::timestamp::Timestamp;

/// A user as administrators see them. Without any secret.
#[derive(Serialize, ToSchema)]
pub struct AdminUser {
    id: Uuid,
    #[schema(example = "susan")]
    username: String,
    #[schema(example = "susan@example.com")]
    email: Option<String>,
    email_verified: bool,
    created_at: Timestamp,
    last_login_at: Option<Timestamp>,
    #[schema(example = json!(["editor:media"]))]
    roles: Vec<String>,
    /// Since when nobody can log in as this user.
    disabled_at: Option<Timestamp>,
    /// Whether there is a password.
    password: bool,
    /// Whether logins ask for the code of an authenticator app.
    totp: bool,
    passkeys: i64,
    /// The names of the providers whose accounts the user logs in with.
    identities: Vec<String>,
    /// Live sessions.
    sessions: i64,
    /// When the user last logged in or, to the minute, used a session that has not ended.
    last_seen_at: Option<Timestamp>,
}

impl From<Listed> for AdminUser {
    fn from(listed: Listed) -> Self {
        let user = listed.user;
        Self {
            id: user.id,
            username: user.username,
            email: user.email,
            email_verified: user.email_verified_at.is_some(),
            created_at: user.created_at.into(),
            last_login_at: user.last_login_at.map(Timestamp),
            roles: user.roles,
            disabled_at: user.disabled_at.map(Timestamp),
            password: listed.password,
            totp: listed.totp,
            passkeys: listed.passkeys,
            identities: listed.identities,
            sessions: listed.sessions,
            last_seen_at: listed.last_seen_at.map(Timestamp),
        }
    }
}
