//! Session keys: the secret in the cookie, and its hash that everything else uses.

use sha2::{Digest, Sha256, Sha512};

/// The secret in the cookie: 256 random bits (OWASP ASVS 5.0 V7.2.3 asks for 128) as 64 hexadecimal digits.
pub struct SessionKey(String);

/// SHA-256 of a session key, by which the table and the cache find it. The key is random, so it needs no salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

/// The system provides no random numbers, without which nothing here is secret.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("random numbers: {0}")]
pub struct NoRandom(getrandom::Error);

impl SessionKey {
    pub fn generate() -> Result<Self, NoRandom> {
        random::<32>().map(|bytes| Self(hex::encode(bytes)))
    }

    /// For the cookie only.
    pub fn cookie_value(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl KeyHash {
    pub fn of(cookie_value: &str) -> Self {
        Self(Sha256::digest(cookie_value.as_bytes()).into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

/// Derives a separate key for each purpose from the one secret.
pub fn derived(purpose: &str, secret_key: &str) -> [u8; 64] {
    let mut hash = Sha512::new();
    hash.update("latchkey ");
    hash.update(purpose);
    hash.update([0]);
    hash.update(secret_key);
    hash.finalize().into()
}

pub fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandom)?;
    Ok(bytes)
}
