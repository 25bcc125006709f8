//! Your accounts at providers in the export.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::oidc::identities::Identity;
use crate::http::wire::timestamp::Timestamp;

#[derive(Serialize, ToSchema)]
pub struct ExportedIdentity {
    id: Uuid,
    #[schema(example = "google")]
    provider: String,
    #[schema(example = "https://accounts.google.com")]
    issuer: String,
    /// Who you are there.
    subject: String,
    /// Your address there, when the account was added.
    email: Option<String>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

impl From<&Identity> for ExportedIdentity {
    fn from(identity: &Identity) -> Self {
        Self {
            id: identity.id,
            provider: identity.provider.clone(),
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            email: identity.email.clone(),
            created_at: identity.created_at.into(),
            last_used_at: identity.last_used_at.map(Timestamp),
        }
    }
}
