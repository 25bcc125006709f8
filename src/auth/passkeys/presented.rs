//! What browsers send of a passkey: credentials as their `toJSON` writes them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

use crate::domain::secret::KeyHash;

/// A passkey that a device has just made.
pub struct Attestation {
    pub credential: RegisterPublicKeyCredential,
    pub said: ClientData,
}

/// A signature by a passkey.
pub struct Assertion {
    pub credential: PublicKeyCredential,
    pub said: ClientData,
}

/// What the browser says of the page that asked (WebAuthn 5.8.1).
#[derive(Deserialize)]
pub struct ClientData {
    #[serde(rename = "type")]
    pub kind: String,
    challenge: String,
    pub origin: String,
    #[serde(rename = "crossOrigin")]
    pub cross_origin: Option<bool>,
    #[serde(rename = "topOrigin")]
    pub top_origin: Option<String>,
}

impl Attestation {
    /// `None`: no browser sends this.
    pub fn parse(sent: Value) -> Option<Self> {
        let credential: RegisterPublicKeyCredential = serde_json::from_value(sent).ok()?;
        require_whole(&credential.id, &credential.raw_id, &credential.type_)?;
        let said = serde_json::from_slice(&credential.response.client_data_json).ok()?;
        Some(Self { credential, said })
    }

    /// How the device can be reached, as far as we know the ways.
    pub fn transports(&self) -> Vec<String> {
        let named = self.credential.response.transports.iter().flatten();
        let mut named: Vec<_> = named.map(ToString::to_string).collect();
        named.retain(|name| name != "unknown");
        named.sort_unstable();
        named.dedup();
        named
    }

    /// The model of the device, which follows the hash of the domain, flags and a counter (WebAuthn 6.1). A device may
    /// claim any, so it is good for an icon only. `None` if it says nothing.
    pub fn aaguid(&self, rp_id: &str) -> Option<Uuid> {
        let whole = &self.credential.response.attestation_object;
        let data = KeyHash::of(rp_id);
        let start = memchr::memmem::find(whole, data.as_bytes())? + 37;
        let id = Uuid::from_slice(whole.get(start..start + 16)?).ok()?;
        (!id.is_nil()).then_some(id)
    }
}

impl Assertion {
    /// `None`: no browser sends this.
    pub fn parse(sent: Value) -> Option<Self> {
        let credential: PublicKeyCredential = serde_json::from_value(sent).ok()?;
        require_whole(&credential.id, &credential.raw_id, &credential.type_)?;
        let said = serde_json::from_slice(&credential.response.client_data_json).ok()?;
        Some(Self { credential, said })
    }

    /// Whose passkey it is, as the device says.
    pub fn user_handle(&self) -> Option<&[u8]> {
        self.credential.get_user_unique_id()
    }
}

impl ClientData {
    /// By which the challenge is found that the device answers. `None` if it cannot be ours.
    pub fn challenge(&self) -> Option<KeyHash> {
        let challenge = URL_SAFE_NO_PAD.decode(&self.challenge).ok()?;
        Some(KeyHash::of_bytes(&challenge))
    }
}

/// What the library does not look at: a credential has one id, written in two ways.
fn require_whole(id: &str, raw_id: &[u8], kind: &str) -> Option<()> {
    (kind == "public-key" && id == URL_SAFE_NO_PAD.encode(raw_id)).then_some(())
}
