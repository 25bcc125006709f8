//! PBKDF2: Werkzeug, Django, passlib, PHC strings.

use std::num::NonZeroU32;

use ring::pbkdf2::{Algorithm, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512, derive};

use super::bounds;
use super::encodings::{base64, named, number, parts, passlib_base64};

pub struct Pbkdf2 {
    hash: Hash,
    rounds: NonZeroU32,
    salt: Vec<u8>,
    /// Of the length of a hash, in the key. Each costs all rounds.
    blocks: u32,
}

#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Pbkdf2 {
    pub fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        match parts(stored, '$') {
            Some(["", hash, params, salt, key]) => Self::of_passlib(hash, params, salt, key),
            Some(_) => None,
            None => Self::of_django(stored).or_else(|| Self::of_werkzeug(stored)),
        }
    }

    /// `pbkdf2:sha256:600000$salt$hex`; the salt is text.
    fn of_werkzeug(stored: &str) -> Option<(Self, Vec<u8>)> {
        let [method, salt, key] = parts(stored, '$')?;
        let ["pbkdf2", hash, rounds] = parts(method, ':')? else {
            return None;
        };
        let hash = match hash {
            "sha1" => Hash::Sha1,
            "sha256" => Hash::Sha256,
            "sha512" => Hash::Sha512,
            _ => return None,
        };
        Self::new(hash, rounds, salt.into(), hex::decode(key).ok()?)
    }

    /// `pbkdf2_sha256$600000$salt$base64`; the salt is text.
    fn of_django(stored: &str) -> Option<(Self, Vec<u8>)> {
        let [hash, rounds, salt, key] = parts(stored, '$')?;
        let hash = match hash {
            "pbkdf2_sha1" => Hash::Sha1,
            "pbkdf2_sha256" => Hash::Sha256,
            _ => return None,
        };
        Self::new(hash, rounds, salt.into(), base64(key)?)
    }

    /// `$pbkdf2-sha256$29000$salt$key`, or with `i=29000` and `l=32` in PHC strings.
    fn of_passlib(hash: &str, params: &str, salt: &str, key: &str) -> Option<(Self, Vec<u8>)> {
        let hash = match hash {
            "pbkdf2" | "pbkdf2-sha1" => Hash::Sha1,
            "pbkdf2-sha256" => Hash::Sha256,
            "pbkdf2-sha512" => Hash::Sha512,
            _ => return None,
        };
        let key = passlib_base64(key)?;
        let (rounds, length) = params.split_once(',').unwrap_or((params, ""));
        let is_so_long = |text| named("l", text).and_then(number) == u32::try_from(key.len()).ok();
        if !length.is_empty() && !is_so_long(length) {
            return None;
        }
        let rounds = named("i", rounds).unwrap_or(rounds);
        Self::new(hash, rounds, passlib_base64(salt)?, key)
    }

    fn new(hash: Hash, rounds: &str, salt: Vec<u8>, key: Vec<u8>) -> Option<(Self, Vec<u8>)> {
        let recipe = Self {
            hash,
            rounds: NonZeroU32::new(number(rounds)?)?,
            salt,
            blocks: u32::try_from(key.len().div_ceil(hash.length())).ok()?,
        };
        Some((recipe, key))
    }

    pub fn run(&self, password: &[u8], length: usize) -> Vec<u8> {
        let mut key = vec![0; length];
        derive(
            self.hash.algorithm(),
            self.rounds,
            &self.salt,
            password,
            &mut key,
        );
        key
    }

    pub fn micros(&self) -> u64 {
        bounds::pbkdf2_micros(self.rounds.get(), self.hash.nanos()) * u64::from(self.blocks)
    }
}

impl Hash {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha1 => PBKDF2_HMAC_SHA1,
            Self::Sha256 => PBKDF2_HMAC_SHA256,
            Self::Sha512 => PBKDF2_HMAC_SHA512,
        }
    }

    fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Of a round.
    fn nanos(self) -> u64 {
        match self {
            Self::Sha1 => 290,
            Self::Sha256 => 170,
            Self::Sha512 => 450,
        }
    }
}
