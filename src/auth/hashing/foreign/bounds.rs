//! What a foreign hash may cost, and what each kind costs on a core of 2025.

use argon2::Params;

pub const MAX_KIB: u32 = 256 * 1024;
/// Twenty hashes of our own. Half of that would refuse bcrypt with a cost of 12, which is Laravel's default.
pub const MAX_MICROS: u64 = 300_000;
/// A hash of our own with the default parameters.
pub const OWN_MICROS: u64 = 15_000;

/// More memory is slower per KiB, because the caches are smaller.
pub fn argon2_micros(params: &Params) -> u64 {
    let written = u64::from(params.m_cost()) * u64::from(params.t_cost());
    written * 4 / 5
}

pub fn bcrypt_micros(cost: u32) -> u64 {
    // More than 2^32 rounds are too many however long each takes.
    1_u64.checked_shl(cost.min(32)).unwrap_or(u64::MAX) * 54
}

pub fn pbkdf2_micros(rounds: u32, nanos: u64) -> u64 {
    u64::from(rounds) * nanos / 1000
}

/// Nobody uses more of these, and beyond them the times below are wrong.
pub const MAX_SCRYPT_R: u32 = 32;
pub const MAX_SCRYPT_P: u32 = 16;
pub const MAX_ARGON2_LANES: u32 = 16;

/// Of N, r and p.
pub fn scrypt_micros(n: u64, r: u32, p: u32) -> u64 {
    let mixed = n.saturating_mul(u64::from(p));
    mixed.saturating_mul(24 * u64::from(r) + 30) / 100
}

pub fn scrypt_kib(n: u64, r: u32, p: u32) -> u32 {
    let pieces = n.saturating_add(u64::from(p)).saturating_add(1);
    let bytes = pieces.saturating_mul(u64::from(r) * 128);
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}
