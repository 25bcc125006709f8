//! Secrets that people hold, in a cookie or a mail, and the hashes by which they are found.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use uuid::Uuid;

/// The secret in the cookie: 256 random bits (OWASP ASVS 5.0 V7.2.3 asks for 128) as 64 hexadecimal digits.
pub struct SessionKey(String);

/// How long a login may wait for the second factor, with its key in a cookie.
pub const STEP_LIFE: Duration = Duration::from_secs(10 * 60);

/// How long somebody may be at a provider before they come back, with a key in a cookie.
pub const FLOW_LIFE: Duration = Duration::from_secs(10 * 60);

/// The secret in a mailed link: 256 bits as 64 hexadecimal digits.
///
/// It derives from the mail's id, so that a mail that is sent again carries the same link, and the outbox holds nothing
/// secret.
pub struct MailToken(String);

/// SHA-256 of a session key or a token, by which tables and caches find it. What it hashes is random, so it needs no
/// salt.
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

    /// What a browser sends back. `None` if it cannot be a key.
    pub fn parse(text: &str) -> Option<Self> {
        is_key(text).then(|| Self(text.to_owned()))
    }

    /// For the cookie only.
    pub fn cookie_value(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl MailToken {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn derive(key: &[u8; 64], mail: Uuid) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is fine");
        let mac = mac.chain_update(mail.as_bytes()).finalize();
        Self(hex::encode(mac.into_bytes()))
    }

    /// What somebody sends back. `None` if no mail can have carried it.
    pub fn parse(text: &str) -> Option<Self> {
        is_key(text).then(|| Self(text.to_owned()))
    }

    /// For the link only.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl KeyHash {
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Of a secret that is no text.
    pub fn of_bytes(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
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

/// 256 bits as hexadecimal digits.
fn is_key(text: &str) -> bool {
    let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    text.len() == 64 && text.bytes().all(is_digit)
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
