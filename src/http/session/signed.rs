//! Signed cookies in the format of the `cookie` crate's `SignedJar`: the Base64 of an HMAC-SHA-256 of the value, followed
//! by the value.

use actix_web::cookie::{Cookie, CookieJar, Key};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Characters of a signature in Base64.
const LENGTH: usize = 44;

/// Signs and verifies one kind of cookie.
#[derive(Clone)]
pub struct Signer {
    pub key: Key,
    /// Keyed in advance, because every request verifies a cookie.
    mac: Hmac<Sha256>,
    old: Vec<Hmac<Sha256>>,
}

/// The value of a cookie that we signed.
#[derive(Debug, PartialEq)]
pub struct Verified {
    pub value: String,
    /// An old key signed it.
    pub is_outdated: bool,
}

impl Signer {
    /// Signs with `key`. Verifies with the `old` keys too.
    pub fn new(key: &[u8; 64], old: &[[u8; 64]]) -> Self {
        let key = Key::from(key);
        Self {
            mac: keyed(&key),
            old: old.iter().map(|old| keyed(&Key::from(old))).collect(),
            key,
        }
    }

    pub fn sign(&self, cookie: Cookie<'static>) -> Cookie<'static> {
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.key).add(cookie.clone());
        jar.delta().next().cloned().unwrap_or(cookie)
    }

    /// The value of a percent-encoded cookie, if we signed it. `SignedJar` needs nine allocations and twice the hashing
    /// for this.
    pub fn verify(&self, encoded: &str) -> Option<Verified> {
        let mut text = Vec::with_capacity(encoded.len());
        text.extend(percent_decode_str(encoded));
        let mut text = String::from_utf8(text).ok()?;
        let (signature, value) = text.split_at_checked(LENGTH)?;
        let is_current = signs(&self.mac, value, signature);
        let is_outdated = !is_current && self.old.iter().any(|old| signs(old, value, signature));
        (is_current || is_outdated).then(|| Verified {
            value: text.split_off(LENGTH),
            is_outdated,
        })
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(key: &Key) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.signing()).expect("any length is fine")
}

fn signs(mac: &Hmac<Sha256>, value: &str, signature: &str) -> bool {
    let mac = mac.clone().chain_update(value).finalize();
    let mut expected = [0; LENGTH];
    let encoded = STANDARD.encode_slice(mac.into_bytes(), &mut expected);
    encoded.is_ok() && expected.ct_eq(signature.as_bytes()).into()
}
