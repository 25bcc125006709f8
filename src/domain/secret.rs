//! Session keys: what the cookie carries, and the hash of it that everything else uses.

use sha2::{Digest, Sha256, Sha512};

use crate::auth::error::{AuthError, Result};

/// The secret in the cookie: 256 random bits (OWASP ASVS 5.0 V7.2.3 asks for 128) as 64 hexadecimal digits.
pub struct SessionKey(String);

/// SHA-256 of a session key: what the table and the cache know it by. Being random, the key needs no salt.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl SessionKey {
    pub fn generate() -> Result<Self> {
        Ok(Self(to_hex(&random()?)))
    }

    /// Consumes the key: it goes into the cookie and nowhere else.
    pub fn into_cookie_value(self) -> String {
        self.0
    }

    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl KeyHash {
    pub fn of(cookie_value: &str) -> Self {
        Self(Sha256::digest(cookie_value.as_bytes()).into())
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn to_hex(self) -> String {
        to_hex(&self.0)
    }

    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |d: u8| char::from(d).to_digit(16);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
        }
        Some(Self(bytes))
    }
}

/// A key of its own for each purpose, from the one secret.
pub fn derived(purpose: &str, secret_key: &str) -> [u8; 64] {
    let mut hash = Sha512::new();
    hash.update("latchkey ");
    hash.update(purpose);
    hash.update([0]);
    hash.update(secret_key);
    hash.finalize().into()
}

pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| AuthError::Internal(format!("random numbers: {e}")))?;
    Ok(bytes)
}

fn to_hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
