//! Settings for password hashing, and the requirements for new passwords.

use argon2::Params;
use clap::Args;

use super::values::{cores, parse_argon2};
use crate::domain::strength::Strength;

/// OWASP Password Storage Cheat Sheet: argon2id with at least 19 MiB and 2 passes.
const ARGON2_DEFAULT: &str = "m=19456,t=2,p=1";

#[derive(Args, Clone)]
#[command(next_help_heading = "Passwords")]
pub struct PasswordSettings {
    /// argon2id parameters: memory in KiB, passes, lanes. A weaker stored hash is replaced at its user's next login.
    #[arg(long, env = "LATCHKEY_ARGON2", default_value = ARGON2_DEFAULT, value_name = "PARAMS", value_parser = parse_argon2)]
    pub argon2: Params,

    /// Threads that hash passwords. The default is one per core.
    #[arg(long, env = "LATCHKEY_HASH_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub hash_workers: Option<u16>,

    /// Minimum length of a new password, in characters. NIST SP 800-63B-4 asks for 15 where the password is the only
    /// factor.
    #[arg(long, env = "LATCHKEY_PASSWORD_MIN_LENGTH", default_value = "8", value_name = "N", value_parser = clap::value_parser!(u16).range(8..=64))]
    pub password_min_length: u16,

    /// Minimum strength of a new password, from 0 to 4, as zxcvbn estimates it. The 200,000 most used passwords are
    /// always refused.
    #[arg(long, env = "LATCHKEY_PASSWORD_MIN_SCORE", default_value = "2", value_name = "SCORE", value_parser = clap::value_parser!(u8).range(0..=4))]
    pub password_min_score: u8,
}

impl PasswordSettings {
    pub fn strength(&self) -> Strength {
        Strength {
            min_length: usize::from(self.password_min_length),
            min_score: self.password_min_score,
        }
    }

    pub fn hash_workers(&self) -> usize {
        self.hash_workers.map_or_else(cores, usize::from)
    }

    /// The maximum memory for hashing, in bytes: each worker keeps that of a hash of ours, and takes that of an imported
    /// one beside it.
    pub fn hash_memory(&self, imported_kib: u32) -> u64 {
        let each = u64::from(self.argon2.m_cost()) + u64::from(imported_kib);
        self.hash_workers() as u64 * each * 1024
    }
}
