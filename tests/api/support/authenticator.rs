//! A device with passkeys, in software: it makes keys and signs as WebAuthn says, and it can lie about everything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Reply, Visitor};

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;

/// The origin of the pages of a test's server.
pub const ORIGIN: &str = "http://localhost:8080";

/// A passkey, and the device that has it.
pub struct Authenticator {
    key: EcdsaKeyPair,
    pub credential_id: Vec<u8>,
    pub user_handle: Vec<u8>,
    /// How often it says that it has signed. `None`: it does not count.
    pub counter: Option<u32>,
    pub synced: bool,
}

/// What a browser and a device say in one ceremony. Honest, unless a test changes it.
pub struct Said {
    pub kind: &'static str,
    pub challenge: String,
    pub origin: String,
    pub cross_origin: Option<bool>,
    pub rp_id: String,
    pub user_present: bool,
    pub user_verified: bool,
    pub backup_eligible: bool,
    pub backed_up: bool,
    pub counter: u32,
    /// The algorithm of the key (COSE).
    pub algorithm: u8,
    /// How much is missing at the end of what the device wrote.
    pub missing: usize,
    pub user_handle: Option<Vec<u8>>,
    pub credential_id: Vec<u8>,
    /// What the signature covers in place of the truth.
    pub signed: Option<Vec<u8>>,
    pub attestation: &'static str,
}

/// ES256, in CBOR.
const ES256: u8 = 0x26;
/// EdDSA, for a key that is none of its.
pub const EDDSA: u8 = 0x27;
/// ES384, for a key that is too short for it.
pub const ES384: u8 = 0x38;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

impl Said {
    fn honest(kind: &'static str, options: &Value, device: &Authenticator) -> Self {
        let rp_id = options["rp"]["id"].as_str().or(options["rpId"].as_str());
        Self {
            kind,
            challenge: options["challenge"].as_str().unwrap().to_owned(),
            origin: ORIGIN.to_owned(),
            cross_origin: Some(false),
            rp_id: rp_id.unwrap().to_owned(),
            user_present: true,
            user_verified: true,
            backup_eligible: device.synced,
            backed_up: device.synced,
            counter: device.counter.unwrap_or(0),
            algorithm: ES256,
            missing: 0,
            user_handle: Some(device.user_handle.clone()),
            credential_id: device.credential_id.clone(),
            signed: None,
            attestation: "none",
        }
    }

    fn client_data(&self) -> Vec<u8> {
        let mut said =
            json!({"type": self.kind, "challenge": self.challenge, "origin": self.origin});
        if let Some(cross_origin) = self.cross_origin {
            said["crossOrigin"] = json!(cross_origin);
        }
        said.to_string().into_bytes()
    }

    fn authenticator_data(&self, attested: &[u8]) -> Vec<u8> {
        let flags = [
            (self.user_present, USER_PRESENT),
            (self.user_verified, USER_VERIFIED),
            (self.backup_eligible, BACKUP_ELIGIBLE),
            (self.backed_up, BACKED_UP),
            (!attested.is_empty(), ATTESTED),
        ];
        let flags = flags.iter().filter(|(set, _)| *set);
        let flags = flags.fold(0, |all, (_, flag)| all | flag);
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data.extend(attested);
        data
    }
}

impl Authenticator {
    fn new(user_handle: Vec<u8>) -> Self {
        let random_numbers = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random_numbers).unwrap();
        Self {
            key: EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random_numbers).unwrap(),
            credential_id: random::<32>().to_vec(),
            user_handle,
            counter: Some(0),
            synced: false,
        }
    }

    /// Makes a passkey as `options` ask for it.
    pub fn create(options: &Value) -> (Self, Value) {
        Self::create_lying(options, |_, _| {})
    }

    /// The same with lies.
    pub fn create_lying(options: &Value, lie: impl FnOnce(&mut Self, &mut Said)) -> (Self, Value) {
        let handle = options["user"]["id"].as_str().unwrap();
        let mut device = Self::new(URL_SAFE_NO_PAD.decode(handle).unwrap());
        let mut said = Said::honest("webauthn.create", options, &device);
        lie(&mut device, &mut said);
        let (id, public) = (&said.credential_id, device.key.public_key().as_ref());
        let length = u16::try_from(id.len()).unwrap().to_be_bytes();
        let algorithm: &[u8] = match said.algorithm {
            ES384 => &[ES384, 0x22],
            ref other => std::slice::from_ref(other),
        };
        let cose = [
            &[0xa5, 1, 2, 3][..],
            algorithm,
            &[0x20, 1, 0x21, 0x58, 32],
            &public[1..33],
            &[0x22, 0x58, 32],
            &public[33..],
        ];
        let attested = [&[0xab; 16][..], &length, id, &cose.concat()].concat();
        let data = said.authenticator_data(&attested);
        let data_length = u8::try_from(data.len()).unwrap();
        let format = said.attestation.as_bytes();
        let object = [
            b"\xa3\x63fmt",
            &[0x60 + u8::try_from(format.len()).unwrap()][..],
            format,
            b"\x67attStmt\xa0\x68authData\x58",
            &[data_length],
            &data,
        ]
        .concat();
        let object = &object[..object.len() - said.missing];
        device.credential_id.clone_from(&said.credential_id);
        let credential = json!({
            "id": encode(id), "rawId": encode(id), "type": "public-key",
            "authenticatorAttachment": "platform",
            "response": {
                "clientDataJSON": encode(said.client_data()),
                "attestationObject": encode(object),
                "transports": ["internal", "hybrid", "smoke-signal"],
            },
            "clientExtensionResults": {"credProps": {"rk": true}},
        });
        (device, credential)
    }

    /// Signs as `options` ask for it.
    pub fn sign(&mut self, options: &Value) -> Value {
        self.sign_lying(options, |_| {})
    }

    /// The same with lies.
    pub fn sign_lying(&mut self, options: &Value, lie: impl FnOnce(&mut Said)) -> Value {
        self.counter = self.counter.map(|counter| counter + 1);
        let mut said = Said::honest("webauthn.get", options, self);
        lie(&mut said);
        let (data, client_data) = (said.authenticator_data(&[]), said.client_data());
        let hash = Sha256::digest(&client_data).to_vec();
        let signed = said.signed.take();
        let signed = signed.unwrap_or_else(|| [&data[..], &hash].concat());
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let signature = signature.as_ref();
        let id = encode(&said.credential_id);
        json!({
            "id": id, "rawId": id, "type": "public-key",
            "authenticatorAttachment": "platform",
            "response": {
                "clientDataJSON": encode(client_data),
                "authenticatorData": encode(&data[..data.len() - said.missing]),
                "signature": encode(signature),
                "userHandle": said.user_handle.map(encode),
            },
            "clientExtensionResults": {},
        })
    }
}

impl Visitor {
    /// What to ask a device for: the options of a ceremony.
    pub async fn passkey_options(&self, what: &str) -> Value {
        let (path, body) = match what {
            "registration" => ("/api/passkeys/registration/options", json!({})),
            what => ("/api/passkeys/authentication/options", json!({"for": what})),
        };
        let reply = self.post(path, body).await.expect(200);
        reply.body["options"].clone()
    }

    /// Sends a passkey that a device made.
    pub async fn register_passkey(&self, credential: &Value) -> Reply {
        let form = json!({"credential": credential});
        self.post("/api/passkeys/registration/verify", form).await
    }

    /// Adds a passkey to the account of a visitor who is logged in.
    pub async fn add_passkey(&self) -> Authenticator {
        let options = self.passkey_options("registration").await;
        let (device, credential) = Authenticator::create(&options);
        self.register_passkey(&credential).await.expect(201);
        device
    }

    /// Sends a signature to log in.
    pub async fn send_passkey(&self, credential: &Value) -> Reply {
        let form = json!({"credential": credential});
        self.post("/api/passkeys/authentication/verify", form).await
    }

    /// Logs in with a passkey.
    pub async fn log_in_with_passkey(&self, device: &mut Authenticator) -> Reply {
        let options = self.passkey_options("login").await;
        self.send_passkey(&device.sign(&options)).await
    }
}
