//! The provider's key, and ID tokens, right and wrong.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::{CLIENT_ID, Granted, Lies, merge};
use crate::support::authenticator::random;

/// How an ID token is signed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Signature {
    #[default]
    Honest,
    /// By a key that the provider does not publish, under the name of one that it does.
    Forged,
    /// Cut off, with `alg: none`.
    None,
    /// HS256, with the public key as the secret.
    HmacOfPublicKey,
    /// HS256, with the client's secret.
    HmacOfSecret,
    /// Right, but for other claims.
    OfOtherClaims,
}

pub struct Key {
    pair: EcdsaKeyPair,
    id: String,
}

fn pair() -> EcdsaKeyPair {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Key {
    pub fn generate() -> Self {
        Self {
            pair: pair(),
            id: hex::encode(random::<4>()),
        }
    }

    pub fn public(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        })
    }

    pub fn id_token(&self, issuer: &str, granted: &Granted, lies: &Lies) -> String {
        let now = chrono::Utc::now().timestamp();
        let mut claims = json!({
            "iss": issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": granted.nonce, "auth_time": now,
        });
        merge(&mut claims, &granted.person);
        merge(&mut claims, &lies.claims);
        let algorithm = match lies.signature {
            Signature::None => "none",
            Signature::HmacOfPublicKey | Signature::HmacOfSecret => "HS256",
            _ => "ES256",
        };
        let mut header = json!({"alg": algorithm, "kid": self.id, "typ": "JWT"});
        merge(&mut header, &lies.header);
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.sign(&signed, lies.signature);
        if lies.signature == Signature::OfOtherClaims {
            claims["sub"] = json!("somebody else");
            return format!("{}.{}.{signature}", encode(&header), encode(&claims));
        }
        format!("{signed}.{signature}")
    }

    fn sign(&self, text: &str, how: Signature) -> String {
        let ecdsa = |pair: &EcdsaKeyPair| {
            let signature = pair.sign(&SystemRandom::new(), text.as_bytes());
            signature.unwrap().as_ref().to_vec()
        };
        let hmac = |secret: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
        };
        URL_SAFE_NO_PAD.encode(match how {
            Signature::Honest | Signature::OfOtherClaims => ecdsa(&self.pair),
            Signature::Forged => ecdsa(&pair()),
            Signature::None => Vec::new(),
            Signature::HmacOfPublicKey => hmac(self.pair.public_key().as_ref()),
            Signature::HmacOfSecret => hmac(super::CLIENT_SECRET.as_bytes()),
        })
    }
}
