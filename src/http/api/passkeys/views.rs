//! Bodies about passkeys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::passkeys::ceremony::Options;
use crate::auth::passkeys::{Passkey, is_usable};
use crate::auth::services::Services;
use crate::http::wire::timestamp::Timestamp;

/// One of your passkeys.
#[derive(Serialize, ToSchema)]
#[schema(as = Passkey)]
pub struct PasskeyView {
    id: Uuid,
    /// By which browsers and devices know it, in base64url.
    #[schema(example = "3q2-7w")]
    credential_id: String,
    #[schema(example = "Chrome, Linux")]
    name: String,
    created_at: Timestamp,
    /// Null before the first login with it.
    last_used_at: Option<Timestamp>,
    /// Whether copies are with the provider of your device, so that you have it on your other devices, too.
    synced: bool,
    /// How devices that have it can be reached.
    #[schema(example = json!(["internal", "hybrid"]))]
    transports: Vec<String>,
    /// The model of the device or program that made it, as it says itself.
    aaguid: Option<Uuid>,
    /// False if it belongs to another domain, under which this server was before. Browsers do not offer it then.
    usable: bool,
}

impl PasskeyView {
    pub fn new(passkey: Passkey, services: &Services) -> Self {
        Self {
            usable: is_usable(services, &passkey),
            id: passkey.id,
            credential_id: URL_SAFE_NO_PAD.encode(&passkey.credential_id),
            name: passkey.name,
            created_at: passkey.created_at.into(),
            last_used_at: passkey.last_used_at.map(Timestamp),
            synced: passkey.backed_up,
            transports: passkey.transports,
            aaguid: passkey.aaguid,
        }
    }
}

/// What to ask the browser.
#[derive(Serialize, ToSchema)]
#[schema(as = PasskeyOptions)]
pub struct OptionsView {
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`, as it is.
    #[schema(value_type = Object)]
    options: Value,
    /// The answer must be here by then.
    expires_at: Timestamp,
}

impl From<Options> for OptionsView {
    fn from(asked: Options) -> Self {
        Self {
            options: asked.options,
            expires_at: asked.expires_at.into(),
        }
    }
}
