//! Security events: what happened to accounts. Each is a log line and a row.

use std::time::Instant;

use ipnet::IpNet;
use strum::{EnumString, IntoStaticStr, VariantNames};
use uuid::Uuid;

use crate::domain::client::Client;
use crate::store::events::NewEvent;

pub mod history;
pub mod queue;
pub mod repeats;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    Registered,
    LoggedIn,
    LoginFailed,
    LoginRefused,
    LoggedOut,
    SessionRevoked,
    OtherSessionsRevoked,
    SessionsRevoked,
    Reauthenticated,
    ReauthenticationFailed,
    PasswordChanged,
    PasswordReset,
    EmailVerified,
    EmailChangeRequested,
    EmailChanged,
    /// The user said that a change was not theirs.
    NotMe,
    PasskeyAdded,
    PasskeyRemoved,
    /// A passkey proved nothing. The details say why.
    PasskeyRefused,
    /// An account at a provider became a way in.
    IdentityLinked,
    IdentityUnlinked,
    Invited,
    DataExported,
    TotpEnabled,
    TotpDisabled,
    SecondFactorEnabled,
    SecondFactorDisabled,
    /// An administrator or an operator turned it off.
    SecondFactorReset,
    /// A wrong code after a right password.
    SecondFactorFailed,
    RecoveryCodesRenewed,
    RecoveryCodeUsed,
    DeviceTrusted,
    DeviceForgotten,
    RoleGranted,
    RoleRevoked,
    /// An administrator gave the user other roles.
    RolesSet,
    /// An administrator had a link mailed.
    PasswordResetSent,
    /// A mail to the user could not be delivered.
    MailFailed,
    /// An administrator deleted the user whom the details name.
    Deleted,
    Disabled,
    Enabled,
    Unlocked,
    LimitHit,
}

impl Kind {
    pub fn disabled(disabled: bool) -> Self {
        match disabled {
            true => Self::Disabled,
            false => Self::Enabled,
        }
    }
}

/// An event that happens now, not recorded yet.
pub fn made(kind: Kind, user_id: Option<Uuid>, client: &Client) -> NewEvent {
    NewEvent {
        id: Uuid::now_v7(),
        kind: kind.into(),
        user_id,
        ip: IpNet::from(client.ip),
        user_agent: client.user_agent.clone(),
        request_id: client.request_id,
        count: 1,
        actor_id: None,
        details: None,
        happened: Instant::now(),
    }
}

pub fn log(event: &NewEvent) {
    let (user, ip) = (event.user_id.map(tracing::field::display), event.ip.addr());
    let (user_agent, request_id) = (&event.user_agent, event.request_id);
    let actor = event.actor_id.map(tracing::field::display);
    let details = event.details.as_ref().map(tracing::field::display);
    tracing::info!(event = event.kind, user, %ip, user_agent, %request_id, actor, details);
}
