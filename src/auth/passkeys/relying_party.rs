//! What this server is to devices that hold passkeys: a domain, and the pages that may ask for them.

use serde::Serialize;
use serde_json::Value;
use url::Url;
use webauthn_rs::prelude::{
    AttestationFormat, AttestationMetadata, COSEAlgorithm, COSEKey, COSEKeyType, Credential,
    DiscoverableAuthentication, DiscoverableKey, ECDSACurve, ParsedAttestation,
    ParsedAttestationData, PasskeyRegistration, Webauthn, WebauthnBuilder, WebauthnError,
};
use webauthn_rs_proto::{
    AllowCredentials, AuthenticatorTransport, PublicKeyCredentialDescriptor,
    ResidentKeyRequirement, UserVerificationPolicy,
};

use super::presented::{Assertion, Attestation, ClientData};
use crate::auth::error::{AuthError, Result};
use crate::domain::rp_id::RpId;
use crate::store::passkeys::Passkey;
use crate::store::users::User;

pub struct RelyingParty {
    webauthn: Webauthn,
    id: RpId,
    /// Serialized.
    origins: Vec<String>,
}

/// A ceremony that has begun: what the browser gets, and what to keep until it answers.
pub struct Begun {
    /// As `parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` takes them.
    pub options: Value,
    pub challenge: Vec<u8>,
    pub state: Value,
}

/// What a device signed.
pub struct Signed {
    pub sign_count: u32,
    pub backed_up: bool,
}

/// Why a device proved nothing, in a word for logs.
pub type Refused = &'static str;

/// The device has signed less often than it did before.
pub const COUNTED_BACK: Refused = "counter";

impl RelyingParty {
    /// `origins` are those of every page that may use passkeys, at this domain or below it.
    pub fn new(id: RpId, app_name: &str, origins: &[Url]) -> Result<Self> {
        let [first, others @ ..] = origins else {
            return Err(AuthError::Internal("no origin for passkeys".into()));
        };
        let builder = WebauthnBuilder::new(id.as_str(), first).map_err(internal)?;
        let builder = others
            .iter()
            .fold(builder.rp_name(app_name), |builder, origin| {
                builder.append_allowed_origin(origin)
            });
        Ok(Self {
            webauthn: builder.build().map_err(internal)?,
            origins: origins
                .iter()
                .map(|origin| origin.origin().ascii_serialization())
                .collect(),
            id,
        })
    }

    pub fn id(&self) -> &RpId {
        &self.id
    }

    /// Asks for a passkey that the device finds by itself, on a device that has none of `known`.
    pub fn begin_registration(&self, user: &User, known: &[&Passkey]) -> Result<Begun> {
        let (id, name) = (user.id, &user.username);
        let begun = self
            .webauthn
            .start_passkey_registration(id, name, name, None);
        let (mut asked, state) = begun.map_err(internal)?;
        let options = &mut asked.public_key;
        // Not by the library, which would take a device's answer with one of them for a forgery.
        options.exclude_credentials = Some(known.iter().copied().map(known_already).collect());
        if let Some(selection) = &mut options.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Required);
            selection.require_resident_key = true;
        }
        Ok(Begun {
            challenge: options.challenge.clone(),
            options: json(&options)?,
            state: json(&state)?,
        })
    }

    /// The credential that a device made, or why it is none.
    pub fn finish_registration(
        &self,
        made: &Attestation,
        state: Value,
    ) -> std::result::Result<Credential, Refused> {
        self.check("webauthn.create", &made.said)?;
        let state: PasskeyRegistration = serde_json::from_value(state).map_err(|_| "state")?;
        let made = self
            .webauthn
            .finish_passkey_registration(&made.credential, &state)
            .map_err(|error| reason(&error))?;
        let made = Credential::from(made);
        is_sound(&made.cred).then_some(made).ok_or("algorithm")
    }

    /// Asks for the signature of one of these passkeys, or of any.
    pub fn begin_authentication(&self, offered: &[&Passkey]) -> Result<Begun> {
        let begun = self.webauthn.start_discoverable_authentication();
        let (asked, state) = begun.map_err(internal)?;
        // How the browser shows it is the page's choice: `asked.mediation` stays here.
        let mut options = asked.public_key;
        options.allow_credentials = offered.iter().copied().map(allowed).collect();
        Ok(Begun {
            challenge: options.challenge.clone(),
            options: json(&options)?,
            state: json(&state)?,
        })
    }

    /// What the device signed with a passkey, or why it proves nothing.
    pub fn finish_authentication(
        &self,
        assertion: &Assertion,
        state: Value,
        passkey: &Passkey,
    ) -> std::result::Result<Signed, Refused> {
        self.check("webauthn.get", &assertion.said)?;
        if passkey.rp_id != self.id.as_str() {
            return Err("rp_id");
        }
        let state: DiscoverableAuthentication =
            serde_json::from_value(state).map_err(|_| "state")?;
        let key = DiscoverableKey::from(webauthn_rs::prelude::Passkey::from(credential(passkey)?));
        let signed = self
            .webauthn
            .finish_discoverable_authentication_v2(&assertion.credential, state, key)
            .map_err(|error| reason(&error))?;
        Ok(Signed {
            sign_count: signed.counter(),
            backed_up: signed.backup_state(),
        })
    }

    /// The library compares parsed URLs, and lets frames of other sites sign in.
    fn check(&self, kind: &str, said: &ClientData) -> std::result::Result<(), Refused> {
        if said.kind != kind {
            return Err("type");
        }
        if !self.origins.contains(&said.origin) {
            return Err("origin");
        }
        if said.cross_origin == Some(true) || said.top_origin.is_some() {
            return Err("cross_origin");
        }
        Ok(())
    }
}

/// Whether a key is one of its algorithm. The library would keep another, which then verifies nothing.
fn is_sound(key: &COSEKey) -> bool {
    match (&key.type_, &key.key) {
        (COSEAlgorithm::ES256, COSEKeyType::EC_EC2(key)) => key.curve == ECDSACurve::SECP256R1,
        (COSEAlgorithm::ES384, COSEKeyType::EC_EC2(key)) => key.curve == ECDSACurve::SECP384R1,
        (COSEAlgorithm::RS256, COSEKeyType::RSA(_)) => true,
        _ => false,
    }
}

/// A stored passkey as the library wants it.
fn credential(passkey: &Passkey) -> std::result::Result<Credential, Refused> {
    let key: COSEKey = serde_json::from_value(passkey.public_key.clone()).map_err(|_| "key")?;
    Ok(Credential {
        cred_id: passkey.credential_id.clone(),
        cred: key,
        counter: u32::try_from(passkey.sign_count).map_err(|_| "key")?,
        transports: None,
        user_verified: true,
        backup_eligible: passkey.backup_eligible,
        backup_state: passkey.backed_up,
        registration_policy: UserVerificationPolicy::Required,
        extensions: Default::default(),
        attestation: ParsedAttestation {
            data: ParsedAttestationData::None,
            metadata: AttestationMetadata::None,
        },
        attestation_format: AttestationFormat::None,
    })
}

fn known_already(passkey: &Passkey) -> PublicKeyCredentialDescriptor {
    PublicKeyCredentialDescriptor {
        type_: "public-key".to_owned(),
        id: passkey.credential_id.clone(),
        transports: Some(transports(passkey)),
    }
}

fn allowed(passkey: &Passkey) -> AllowCredentials {
    AllowCredentials {
        type_: "public-key".to_owned(),
        id: passkey.credential_id.clone(),
        transports: Some(transports(passkey)),
    }
}

fn transports(passkey: &Passkey) -> Vec<AuthenticatorTransport> {
    let named = passkey.transports.iter();
    named.filter_map(|name| name.parse().ok()).collect()
}

fn json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| AuthError::Internal(error.to_string()))
}

fn internal(error: WebauthnError) -> AuthError {
    AuthError::Internal(format!("webauthn: {error:?}"))
}

fn reason(error: &WebauthnError) -> Refused {
    match error {
        WebauthnError::MismatchedChallenge => "challenge",
        WebauthnError::InvalidRPOrigin => "origin",
        WebauthnError::InvalidRPIDHash => "rp_id",
        WebauthnError::UserNotPresent => "user_not_present",
        WebauthnError::UserNotVerified => "user_not_verified",
        WebauthnError::CredentialPossibleCompromise => COUNTED_BACK,
        WebauthnError::CredentialBackupEligibilityInconsistent
        | WebauthnError::CredentialMayNotBeHardwareBound => "backup",
        WebauthnError::CredentialAlteredAlgFromRequest => "algorithm",
        WebauthnError::AuthenticationFailure => "signature",
        _ => "malformed",
    }
}
