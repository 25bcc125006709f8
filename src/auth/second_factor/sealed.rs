//! TOTP secrets at rest: AES-256-GCM under the secret key, so that a copy of the database makes nobody's codes.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::secret::{NoRandom, derived, random};

/// The layout: version and key id (the prefix), nonce, ciphertext, tag.
pub const VERSION: u8 = 1;
const PREFIX_LEN: usize = 5;
const KEY_LEN: usize = 32;

/// What a sealed secret begins with. It names the key.
pub type Prefix = [u8; PREFIX_LEN];

/// Seals under the current key, opens under the old ones too.
pub struct Sealer {
    current: Key,
    old: Vec<Key>,
}

struct Key {
    prefix: Prefix,
    key: LessSafeKey,
}

pub struct Opened {
    pub bytes: Vec<u8>,
    /// An old key opened it: seal it again.
    pub outdated: bool,
}

impl Sealer {
    pub fn new(secret_key: &str, old: &[String]) -> Self {
        Self {
            current: Key::of(secret_key),
            old: old.iter().map(|old| Key::of(old)).collect(),
        }
    }

    /// For commands, which seal and open nothing.
    pub fn of_nobody() -> Result<Self, NoRandom> {
        Ok(Self::new(&hex::encode(random::<KEY_LEN>()?), &[]))
    }

    /// Only for this user: under another id it does not open.
    ///
    /// Nonces are random, which is fine for 2^32 secrets a key (NIST SP 800-38D section 8.3).
    #[expect(clippy::expect_used, reason = "AES-GCM seals up to 64 GiB")]
    pub fn seal(&self, user: Uuid, plain: &[u8]) -> Result<Vec<u8>, NoRandom> {
        let nonce = random::<NONCE_LEN>()?;
        let Key { prefix, key } = &self.current;
        let mut text = plain.to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(user.as_bytes()),
            &mut text,
        )
        .expect("short enough");
        Ok([&prefix[..], &nonce, &text].concat())
    }

    /// `None` if no key of ours sealed it for this user, or if a bit has changed since.
    pub fn open(&self, user: Uuid, sealed: &[u8]) -> Option<Opened> {
        let opened = |outdated| move |bytes| Opened { bytes, outdated };
        let current = self.current.open(user, sealed).map(opened(false));
        current.or_else(|| {
            let old = self.old.iter().find_map(|key| key.open(user, sealed));
            old.map(opened(true))
        })
    }

    /// Secrets that do not begin with this are outdated.
    pub fn current_prefix(&self) -> Prefix {
        self.current.prefix
    }

    /// Secrets that begin with none of these cannot be opened.
    pub fn prefixes(&self) -> Vec<Prefix> {
        let keys = std::iter::once(&self.current).chain(&self.old);
        keys.map(|key| key.prefix).collect()
    }
}

impl Key {
    #[expect(clippy::expect_used, reason = "the length is a constant")]
    fn of(secret_key: &str) -> Self {
        let derived = derived("totp secret", secret_key);
        let bytes = &derived[..KEY_LEN];
        let id = Sha256::digest(bytes);
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("a key of 256 bits");
        Self {
            prefix: [VERSION, id[0], id[1], id[2], id[3]],
            key: LessSafeKey::new(key),
        }
    }

    fn open(&self, user: Uuid, sealed: &[u8]) -> Option<Vec<u8>> {
        let sealed = sealed.strip_prefix(&self.prefix[..])?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut text = sealed.to_vec();
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(user.as_bytes()), &mut text);
        let length = plain.ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn user(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn sealer(key: &str, old: &[&str]) -> Sealer {
        let old: Vec<_> = old.iter().map(|old| (*old).to_owned()).collect();
        Sealer::new(key, &old)
    }

    fn opened(by: &Sealer, sealed: &[u8]) -> Option<(Vec<u8>, bool)> {
        by.open(user(1), sealed).map(|it| (it.bytes, it.outdated))
    }

    #[test]
    fn a_secret_opens_for_its_user_and_for_nobody_else() {
        let sealer = sealer("a key", &[]);
        let sealed = sealer.seal(user(1), SECRET).unwrap();
        assert_eq!(opened(&sealer, &sealed), Some((SECRET.to_vec(), false)));
        assert!(sealer.open(user(2), &sealed).is_none());
        assert!(sealer.open(Uuid::nil(), &sealed).is_none());
    }

    #[test]
    fn what_is_stored_tells_nothing_of_the_secret() {
        let sealer = sealer("a key", &[]);
        let [one, other] = [(); 2].map(|()| sealer.seal(user(1), SECRET).unwrap());
        assert_eq!(one.len(), PREFIX_LEN + 12 + SECRET.len() + 16);
        assert!(
            !one.windows(4)
                .any(|part| SECRET.windows(4).any(|of| of == part))
        );
        assert_eq!(one[..PREFIX_LEN], sealer.current_prefix());
        assert_eq!(other[..PREFIX_LEN], sealer.current_prefix());
        // Another nonce, so another text: nobody sees which users share a secret.
        assert_ne!(one[PREFIX_LEN..][..12], other[PREFIX_LEN..][..12]);
        assert_ne!(one[PREFIX_LEN + 12..], other[PREFIX_LEN + 12..]);
    }

    #[test]
    fn a_changed_bit_is_noticed_wherever_it_is() {
        let sealer = sealer("a key", &["an older key"]);
        let sealed = sealer.seal(user(1), SECRET).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opened(&sealer, &changed), None, "{bit}");
        }
        // Under the name of another key of ours.
        let mut renamed = sealed.clone();
        renamed[..PREFIX_LEN].copy_from_slice(&sealer.prefixes()[1]);
        assert_eq!(opened(&sealer, &renamed), None);
    }

    #[test]
    fn what_is_too_short_or_too_long_does_not_open() {
        let sealer = sealer("a key", &[]);
        let sealed = sealer.seal(user(1), SECRET).unwrap();
        for length in 0..sealed.len() {
            assert_eq!(opened(&sealer, &sealed[..length]), None, "{length}");
        }
        assert_eq!(opened(&sealer, &[&sealed[..], &[0]].concat()), None);
        let nothing = sealer.seal(user(1), b"").unwrap();
        assert_eq!(opened(&sealer, &nothing), Some((Vec::new(), false)));
    }

    #[test]
    fn after_a_change_of_the_key_the_old_one_opens_what_it_sealed() {
        let before = sealer("a key", &[]);
        let sealed = before.seal(user(1), SECRET).unwrap();
        let changed = sealer("another key", &["a third", "a key"]);
        assert_eq!(opened(&changed, &sealed), Some((SECRET.to_vec(), true)));
        let again = changed.seal(user(1), SECRET).unwrap();
        assert_eq!(opened(&changed, &again), Some((SECRET.to_vec(), false)));
        assert_eq!(opened(&before, &again), None);
        assert_eq!(opened(&sealer("another key", &[]), &sealed), None);
    }

    /// The start asks the database for secrets that no key opens, and upkeep for outdated ones.
    #[test]
    fn prefixes_tell_which_key_sealed_a_secret() {
        let before = sealer("a key", &[]);
        let changed = sealer("another key", &["a third", "a key"]);
        assert_ne!(changed.current_prefix(), before.current_prefix());
        let third = sealer("a third", &[]).current_prefix();
        assert_eq!(
            changed.prefixes(),
            [changed.current_prefix(), third, before.current_prefix()]
        );
    }

    /// Rows outlive releases, so the layout may not change. Python's `cryptography` sealed this one.
    #[test]
    fn a_row_that_another_program_sealed_opens() {
        let sealed = hex::decode(
            "0104b72771000102030405060708090a0b6f031a84d60cbbfa29c0d34ee9\
             bc8f0c1100184ee0b5c5ce3cff57568f2ad8db95700d25",
        );
        let found = opened(&sealer("a key", &[]), &sealed.unwrap());
        assert_eq!(found, Some((SECRET.to_vec(), false)));
    }
}
