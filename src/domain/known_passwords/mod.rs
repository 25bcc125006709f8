//! The 200,000 passwords that people use most.
//!
//! `examples/known_passwords.rs` makes `filter.bin`, and says from what.

use sha2::{Digest, Sha256};
use xorf::{BinaryFuse16, BinaryFuse16Ref, DmaSerializable, Filter, FilterRef};

/// The filter reads 16 bits at a time.
#[repr(align(2))]
struct Aligned<T>(T);

static FILTER: Aligned<[u8; include_bytes!("filter.bin").len()]> =
    Aligned(*include_bytes!("filter.bin"));

/// Shorter passwords are not in the filter.
pub const MIN_LENGTH: usize = 8;

/// Whether many people use this password, in any case. One in 65,536 others counts as known, too.
pub fn is_known(password: &str) -> bool {
    let (descriptor, fingerprints) = FILTER.0.split_at(BinaryFuse16::DESCRIPTOR_LEN);
    BinaryFuse16Ref::from_dma(descriptor, fingerprints).contains(&key(password))
}

/// What the filter stores of a password.
pub fn key(password: &str) -> u64 {
    let hash: [u8; 32] = Sha256::digest(password.to_lowercase()).into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_used_passwords_are_known_in_any_case() {
        for password in ["password1", "iloveyou2", "Qwerty12345", "TRUSTNO1"] {
            assert!(is_known(password), "{password}");
        }
    }

    #[test]
    fn others_are_not() {
        let others = (0..100_000).map(|n| format!("green-Lamp-{n}-river"));
        let known = others.filter(|password| is_known(password)).count();
        assert!(known <= 10, "{known} of 100,000");
    }
}
