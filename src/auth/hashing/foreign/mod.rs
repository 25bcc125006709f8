//! Hashes that other systems made, verified as they are until their users log in.

/// Why a hash cannot come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No format that we know, or malformed.
    Unknown,
    /// Checking a password against it would take too much memory or time.
    TooCostly,
}

/// What it takes to check a password against a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// `None` if it is argon2id as we make it, and nothing about it is foreign.
    pub foreign_kib: Option<u32>,
    /// Whether that takes longer than with a hash of our own, so that a failing login tells that the account has not
    /// moved yet.
    pub slower: bool,
}

/// Judges a hash without running it.
pub fn judge(stored: &str) -> Result<Cost, Refused> {
    if stored.starts_with("$argon2id$") {
        return Ok(Cost {
            foreign_kib: None,
            slower: false,
        });
    }
    Err(Refused::Unknown)
}
