//! bcrypt: Laravel, Rails, Supabase, Flask-Bcrypt; wrapped by Django and passlib, so that more than 72 bytes count.

use bcrypt::{BASE_64, HashParts, bcrypt};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::bounds;
use super::encodings::{named, number, parts};
use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

/// What bcrypt stores of its 24 bytes.
const KEY: usize = 23;
/// No bcrypt makes a hash with less.
const COST_MIN: u32 = 4;
/// More are cut off, as all these systems do.
const PASSWORD_MAX: usize = 72;

pub struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    wrapping: Wrapping,
}

/// What is done to a password before bcrypt sees it.
enum Wrapping {
    None,
    /// Django: the SHA-256 in hexadecimal.
    Hex,
    /// passlib, version 1: the SHA-256 in base64.
    Base64,
    /// passlib, version 2: the same of an HMAC under the salt as it is written.
    Keyed(String),
}

impl Bcrypt {
    pub fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        if let Some(rest) = stored.strip_prefix("$bcrypt-sha256$") {
            return Self::of_passlib(rest);
        }
        if let Some(rest) = stored.strip_prefix("bcrypt_sha256$") {
            return Self::of(rest, Wrapping::Hex);
        }
        let plain = stored.strip_prefix("bcrypt$").unwrap_or(stored);
        Self::of(plain, Wrapping::None)
    }

    fn of(modular: &str, wrapping: Wrapping) -> Option<(Self, Vec<u8>)> {
        let [empty, version, _, rest] = parts(modular, '$')?;
        if !empty.is_empty() || !matches!(version, "2a" | "2b" | "2y") {
            return None;
        }
        let hash: HashParts = modular.parse().ok()?;
        if hash.get_cost() < COST_MIN {
            return None;
        }
        let key = BASE_64.decode(rest.get(22..)?).ok()?;
        let recipe = Self {
            cost: hash.get_cost(),
            salt: hash.get_salt_raw(),
            wrapping,
        };
        Some((recipe, key)).filter(|(_, key)| key.len() == KEY)
    }

    fn of_passlib(rest: &str) -> Option<(Self, Vec<u8>)> {
        let [params, salt, key] = parts(rest, '$')?;
        let (version, cost, wrapping) = match parts(params, ',') {
            Some([of, version, cost]) if named("v", of)? == "2" => {
                let cost = named("r", cost)?;
                (named("t", version)?, cost, Wrapping::Keyed(salt.to_owned()))
            }
            Some(_) => return None,
            None => {
                let [version, cost] = parts(params, ',')?;
                (version, cost, Wrapping::Base64)
            }
        };
        let cost = number(cost)?;
        Self::of(&format!("${version}${cost:02}${salt}{key}"), wrapping)
    }

    pub fn run(&self, password: &[u8]) -> Vec<u8> {
        let wrapped = match &self.wrapping {
            Wrapping::None => password.to_vec(),
            Wrapping::Hex => hex::encode(Sha256::digest(password)).into_bytes(),
            Wrapping::Base64 => STANDARD.encode(Sha256::digest(password)).into_bytes(),
            Wrapping::Keyed(salt) => keyed(salt, password),
        };
        let mut padded = [0; PASSWORD_MAX];
        let length = wrapped.len().min(PASSWORD_MAX);
        padded[..length].copy_from_slice(&wrapped[..length]);
        // With the NUL that ends a shorter one.
        let used = (length + 1).min(PASSWORD_MAX);
        bcrypt(self.cost, self.salt, &padded[..used])[..KEY].to_vec()
    }

    pub fn micros(&self) -> u64 {
        bounds::bcrypt_micros(self.cost)
    }
}

fn keyed(salt: &str, password: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt.as_bytes()) else {
        return Vec::new();
    };
    mac.update(password);
    STANDARD.encode(mac.finalize().into_bytes()).into_bytes()
}
