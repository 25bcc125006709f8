//! Stored password hashes: argon2id in the PHC string format.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{ARGON2ID_IDENT, Params, Version};

use crate::auth::error::{AuthError, Result};
use crate::domain::password::PasswordHash;

pub const OUTPUT_LEN: usize = 32;
/// RFC 9106 section 3.1 recommends 16 bytes of salt for password hashing.
pub const SALT_LEN: usize = 16;
/// Stored hashes with parameters beyond these are not computed: no row may cost us minutes.
pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
pub const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 4;

pub fn encode(params: &Params, salt: &[u8], output: &[u8]) -> Result<PasswordHash> {
    let hash = Phc {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(broken)?,
        salt: Some(Salt::new(salt).map_err(broken)?),
        hash: Some(Output::new(output).map_err(broken)?),
    };
    Ok(PasswordHash::new(hash.to_string()))
}

/// The parts of a PHC string, if it is argon2id and within the bounds.
pub fn decode(stored: &str) -> Option<(Params, Salt, Output)> {
    let hash = Phc::new(stored).ok()?;
    if hash.algorithm != ARGON2ID_IDENT || hash.version != Some(Version::V0x13.into()) {
        return None;
    }
    let params = Params::try_from(&hash).ok()?;
    let (salt, output) = (hash.salt?, hash.hash?);
    (are_within_bounds(&params) && output.len() >= 16).then_some((params, salt, output))
}

pub fn are_within_bounds(params: &Params) -> bool {
    params.m_cost() <= MAX_MEMORY_KIB
        && params.t_cost() <= MAX_PASSES
        && params.p_cost() <= MAX_LANES
}

pub fn broken(error: impl std::fmt::Display) -> AuthError {
    AuthError::Internal(format!("argon2: {error}"))
}
