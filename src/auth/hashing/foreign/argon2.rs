//! argon2 as others use it: more memory, more lanes, other variants. Django writes `argon2` before it.

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::{Algorithm, Argon2 as Hasher, Params, Version};

use super::bounds;

pub struct Argon2 {
    algorithm: Algorithm,
    params: Params,
    salt: Vec<u8>,
}

impl Argon2 {
    pub fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        let phc = stored.strip_prefix("argon2").unwrap_or(stored);
        let hash = Phc::new(phc).ok()?;
        if hash.version != Some(Version::V0x13.into()) {
            return None;
        }
        let recipe = Self {
            algorithm: Algorithm::new(hash.algorithm.as_str()).ok()?,
            params: Params::try_from(&hash).ok()?,
            salt: hash.salt?.as_ref().to_vec(),
        };
        Some((recipe, hash.hash?.as_bytes().to_vec()))
    }

    pub fn run(&self, password: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut key = vec![0; length];
        Hasher::new(self.algorithm, Version::V0x13, self.params.clone())
            .hash_password_into(password, &self.salt, &mut key)
            .ok()?;
        Some(key)
    }

    pub fn kib(&self) -> u32 {
        self.params.m_cost()
    }

    pub fn micros(&self) -> u64 {
        if self.params.p_cost() > bounds::MAX_ARGON2_LANES {
            return u64::MAX;
        }
        bounds::argon2_micros(&self.params)
    }
}
