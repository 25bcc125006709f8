//! Your passkeys in the export, and what your devices have been asked to sign.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::passkeys::Passkey;
use crate::http::wire::timestamp::Timestamp;

#[derive(Serialize, ToSchema)]
pub struct ExportedPasskey {
    id: Uuid,
    #[schema(example = "My phone")]
    name: String,
    /// By which your device knows it, in base64url.
    credential_id: String,
    /// Where it can be used.
    #[schema(example = "app.example")]
    domain: String,
    synced: bool,
    transports: Vec<String>,
    aaguid: Option<Uuid>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub struct ExportedChallenge {
    #[schema(example = "registration")]
    purpose: String,
    expires_at: Timestamp,
}

impl From<&Passkey> for ExportedPasskey {
    fn from(passkey: &Passkey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name.clone(),
            credential_id: URL_SAFE_NO_PAD.encode(&passkey.credential_id),
            domain: passkey.rp_id.clone(),
            synced: passkey.backed_up,
            transports: passkey.transports.clone(),
            aaguid: passkey.aaguid,
            created_at: passkey.created_at.into(),
            last_used_at: passkey.last_used_at.map(Timestamp),
        }
    }
}

impl From<&(String, DateTime<Utc>)> for ExportedChallenge {
    fn from((purpose, expires_at): &(String, DateTime<Utc>)) -> Self {
        Self {
            purpose: purpose.clone(),
            expires_at: (*expires_at).into(),
        }
    }
}
