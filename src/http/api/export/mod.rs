//! Everything that Latchkey holds about you, as a file.

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::export::{self, Export};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::http::api::views::EventView;
use crate::http::session::guards::FreshUser;
use crate::http::wire::problem::Problem;
use crate::http::wire::problem_body::MethodName;
use crate::http::wire::refusals::{FreshLoginRequired, LoginRequired, NoDatabase};
use crate::http::wire::timestamp::Timestamp;
use factors::ExportedFactors;
use identities::ExportedIdentity;
use passkeys::{ExportedChallenge, ExportedPasskey};

mod factors;
mod identities;
mod passkeys;

/// Everything that Latchkey holds about you, but no password hash, session key or token.
#[derive(Serialize, ToSchema)]
pub struct ExportFile {
    exported_at: Timestamp,
    user: ExportedUser,
    roles: Vec<ExportedRole>,
    sessions: Vec<ExportedSession>,
    /// What happened to your account, the newest first. Kept for 90 days.
    events: Vec<EventView>,
    /// The networks from which you logged in. Kept for 90 days.
    known_networks: Vec<ExportedNetwork>,
    /// Links in mails to you that nobody has used yet.
    links: Vec<ExportedLink>,
    /// Mails to you that have not been sent yet.
    mails: Vec<ExportedMail>,
    passkeys: Vec<ExportedPasskey>,
    /// What your devices have been asked to sign, in the last ten minutes.
    challenges: Vec<ExportedChallenge>,
    /// Your accounts at providers.
    identities: Vec<ExportedIdentity>,
    #[schema(value_type = Vec<Object>)]
    access_tokens: Vec<Value>,
    #[serde(flatten)]
    factors: ExportedFactors,
}

#[derive(Serialize, ToSchema)]
struct ExportedUser {
    id: Uuid,
    username: String,
    email: Option<String>,
    email_verified_at: Option<Timestamp>,
    /// An address that you asked for and have not verified yet.
    pending_email: Option<String>,
    /// The language of mails.
    locale: Option<String>,
    /// Whether there is a password. Its hash is left out.
    password: bool,
    /// Whether logins take two factors.
    second_factor_required: bool,
    created_at: Timestamp,
    last_login_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
struct ExportedRole {
    #[schema(example = "editor:media")]
    role: String,
    granted_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct ExportedSession {
    id: Uuid,
    remembered: bool,
    created_at: Timestamp,
    authenticated_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
    ip: Option<String>,
    user_agent: Option<String>,
    /// With what you proved who you are.
    #[schema(value_type = Vec<MethodName>, example = json!(["password", "totp"]))]
    methods: Vec<String>,
    /// How many factors that is.
    factors: i16,
}

#[derive(Serialize, ToSchema)]
struct ExportedNetwork {
    #[schema(example = "203.0.113.0/24")]
    network: String,
    last_seen_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct ExportedLink {
    #[schema(example = "reset")]
    kind: String,
    sent_to: String,
    asked_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct ExportedMail {
    #[schema(example = "password_changed")]
    kind: String,
    address: String,
    created_at: Timestamp,
}

impl From<Export> for ExportFile {
    fn from(export: Export) -> Self {
        Self {
            exported_at: export.exported_at.into(),
            roles: roles(&export),
            sessions: sessions(&export),
            known_networks: networks(&export),
            links: links(&export),
            mails: mails(&export),
            user: ExportedUser {
                id: export.user.id,
                username: export.user.username,
                email: export.user.email,
                email_verified_at: export.user.email_verified_at.map(Timestamp),
                pending_email: export.addressee.pending_email,
                locale: export.addressee.locale,
                password: export.has_password,
                second_factor_required: export.user.second_factor_required,
                created_at: export.user.created_at.into(),
                last_login_at: export.user.last_login_at.map(Timestamp),
            },
            events: export.events.into_iter().map(EventView::from).collect(),
            passkeys: export.passkeys.iter().map(ExportedPasskey::from).collect(),
            challenges: export
                .challenges
                .iter()
                .map(ExportedChallenge::from)
                .collect(),
            identities: export
                .identities
                .iter()
                .map(ExportedIdentity::from)
                .collect(),
            access_tokens: Vec::new(),
            factors: export.factors.into(),
        }
    }
}

fn roles(export: &Export) -> Vec<ExportedRole> {
    let granted = export.roles.iter().map(|(role, at)| ExportedRole {
        role: role.clone(),
        granted_at: (*at).into(),
    });
    granted.collect()
}

fn sessions(export: &Export) -> Vec<ExportedSession> {
    let listed = export.sessions.iter().map(|listed| ExportedSession {
        id: listed.session.id,
        remembered: listed.session.remembered,
        created_at: listed.session.created_at.into(),
        authenticated_at: listed.session.authenticated_at.into(),
        last_seen_at: listed.session.last_seen_at.into(),
        expires_at: listed.session.expires_at.into(),
        ip: listed.ip.map(|ip| ip.addr().to_string()),
        user_agent: listed.user_agent.clone(),
        methods: listed.session.methods.clone(),
        factors: listed.session.factors,
    });
    listed.collect()
}

fn networks(export: &Export) -> Vec<ExportedNetwork> {
    let known = export.networks.iter().map(|(network, at)| ExportedNetwork {
        network: network.to_string(),
        last_seen_at: (*at).into(),
    });
    known.collect()
}

fn links(export: &Export) -> Vec<ExportedLink> {
    let valid = export.links.iter().map(|link| ExportedLink {
        kind: link.kind.clone(),
        sent_to: link.email.clone(),
        asked_at: link.created_at.into(),
        expires_at: link.expires_at.into(),
    });
    valid.collect()
}

fn mails(export: &Export) -> Vec<ExportedMail> {
    let waiting = export.mails.iter().map(|mail| ExportedMail {
        kind: mail.kind.clone(),
        address: mail.address.clone(),
        created_at: mail.created_at.into(),
    });
    waiting.collect()
}

/// Everything about me, as a file.
///
/// One key for each kind of data. Needs a recent login.
#[utoipa::path(tag = "account", security(("session" = [])), responses(
    (status = 200, description = "All your data.", body = ExportFile,
        headers(("Content-Disposition" = String, description = "Has browsers save it as a file."))),
    LoginRequired, FreshLoginRequired, NoDatabase,
))]
#[get("/me/export")]
pub async fn export_data(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let export = export::export(&services, &visit, &client).await?;
    Ok(HttpResponse::Ok()
        .insert_header((
            CONTENT_DISPOSITION,
            r#"attachment; filename="account.json""#,
        ))
        .json(ExportFile::from(export)))
}
