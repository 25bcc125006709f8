//! Bodies that several features share.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::auth::events::Kind;
use crate::auth::second_factor::trusted_devices::TrustedDevice;
use crate::auth::session::lifetimes::Lifetimes;
use crate::http::wire::problem_body::MethodName;
use crate::http::wire::timestamp::Timestamp;
use crate::http::wire::words::one_of;
use crate::store::events::Event;
use crate::store::sessions::{self, ListedSession};
use crate::store::users;

/// What users may see of themselves, and nothing else.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView<'a> {
    id: Uuid,
    #[schema(example = "susan")]
    username: &'a str,
    /// Null until a first address is verified, where that is required.
    #[schema(example = "susan@example.com")]
    email: Option<&'a str>,
    email_verified: bool,
    created_at: Timestamp,
    last_login_at: Option<Timestamp>,
    /// What you may do, as `name` or `name:area`.
    #[schema(example = json!(["editor:media"]))]
    roles: &'a [String],
}

impl<'a> From<&'a users::User> for UserView<'a> {
    fn from(user: &'a users::User) -> Self {
        Self {
            id: user.id,
            username: &user.username,
            email: user.email.as_deref(),
            email_verified: user.email_verified_at.is_some(),
            created_at: user.created_at.into(),
            last_login_at: user.last_login_at.map(Timestamp),
            roles: &user.roles,
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
    /// When you last proved who you are.
    authenticated_at: Timestamp,
    /// When it ends if it is not used again.
    expires_at: Timestamp,
    /// With what you proved it.
    #[schema(value_type = Vec<MethodName>, example = json!(["password", "totp"]))]
    methods: Vec<String>,
    /// How many factors that is.
    #[schema(minimum = 1, maximum = 2)]
    factors: i16,
}

impl SessionView {
    pub fn new(session: &sessions::Session, expires_at: DateTime<Utc>) -> Self {
        Self {
            id: session.id,
            remembered: session.remembered,
            created_at: session.created_at.into(),
            authenticated_at: session.authenticated_at.into(),
            expires_at: expires_at.into(),
            methods: session.methods.clone(),
            factors: session.factors,
        }
    }
}

/// No fields.
#[derive(Deserialize, ToSchema)]
pub struct LogoutRequest {}

/// A session in a list.
#[derive(Serialize, ToSchema)]
pub struct SessionInfo {
    id: Uuid,
    /// Whether this is the session that made the request.
    current: bool,
    created_at: Timestamp,
    /// When it was last used, to the minute.
    last_seen_at: Timestamp,
    /// When it ends if it is not used again.
    expires_at: Timestamp,
    #[schema(example = "203.0.113.7")]
    ip: Option<String>,
    user_agent: Option<String>,
    remembered: bool,
}

impl SessionInfo {
    pub fn new(listed: ListedSession, current: Uuid, lifetimes: &Lifetimes) -> Self {
        let session = &listed.session;
        Self {
            id: session.id,
            current: session.id == current,
            created_at: session.created_at.into(),
            last_seen_at: session.last_seen_at.into(),
            expires_at: lifetimes.deadline(session).into(),
            ip: listed.ip.map(|ip| ip.addr().to_string()),
            user_agent: listed.user_agent,
            remembered: session.remembered,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct Revoked {
    /// How many sessions ended.
    pub revoked: usize,
}

/// Something that happened to your account.
#[derive(Serialize, ToSchema)]
#[schema(as = EventInfo)]
pub struct EventView {
    #[schema(value_type = EventKind, example = "logged_in")]
    kind: String,
    created_at: Timestamp,
    ip: String,
    user_agent: Option<String>,
    request_id: Uuid,
    /// The administrator who did it. Null if it was you, as a user, or an operator at a shell.
    actor_id: Option<Uuid>,
    /// What else there is to know, such as which mail failed.
    #[schema(value_type = Option<Object>)]
    details: Option<serde_json::Value>,
}

/// The values of [`Kind`] in the OpenAPI document.
pub struct EventKind;

impl PartialSchema for EventKind {
    fn schema() -> RefOr<Schema> {
        let words = one_of(Kind::VARIANTS);
        words.description(Some("What happened.")).into()
    }
}

impl ToSchema for EventKind {}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            kind: event.kind,
            created_at: event.created_at.into(),
            ip: event.ip.addr().to_string(),
            user_agent: event.user_agent,
            request_id: event.request_id,
            actor_id: event.actor_id,
            details: event.details,
        }
    }
}

/// The answer to a request for a mail: the same for every address.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// A sentence that an app may show as it is.
    message: &'static str,
}

impl Accepted {
    pub fn answer(message: &'static str) -> HttpResponse {
        HttpResponse::Accepted().json(Self { message })
    }
}

/// A browser that you trust.
#[derive(Serialize, ToSchema)]
#[schema(as = TrustedDevice)]
pub struct DeviceView {
    id: Uuid,
    user_agent: Option<String>,
    #[schema(example = "203.0.113.7")]
    ip: Option<String>,
    created_at: Timestamp,
    /// The last login there.
    last_used_at: Timestamp,
    /// From then on a login asks for the second factor again.
    expires_at: Timestamp,
}

impl From<TrustedDevice> for DeviceView {
    fn from(device: TrustedDevice) -> Self {
        Self {
            id: device.id,
            user_agent: device.user_agent,
            ip: device.ip.map(|ip| ip.addr().to_string()),
            created_at: device.created_at.into(),
            last_used_at: device.last_used_at.into(),
            expires_at: device.expires_at.into(),
        }
    }
}
