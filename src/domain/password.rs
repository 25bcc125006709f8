//! Passwords: as a person typed it, as it may be set, and its hash.

use unicode_normalization::UnicodeNormalization;

use super::field::{FieldCode, FieldError};

/// In code points. Longer passwords are refused, never truncated; NIST SP 800-63B-4 3.1.1.2 asks for at least 64.
pub const MAX_LENGTH: usize = 256;

/// A password in NFC (NIST SP 800-63B-4 3.1.1.2). Has no `Debug` and no `Serialize`.
#[derive(Clone, PartialEq)]
pub struct PlainPassword {
    nfc: String,
    /// As it was typed, where that differs: other systems hashed it so.
    typed: Option<String>,
}

impl PlainPassword {
    /// For verification: accepts any length up to the maximum.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        if text.is_empty() {
            return Err(FieldError::required());
        }
        let nfc: String = text.nfc().collect();
        let typed = (nfc != text).then(|| text.to_owned());
        let password = Self { nfc, typed };
        if password.length() > MAX_LENGTH {
            return Err(FieldError::new(
                FieldCode::TooLong,
                format!("Use at most {MAX_LENGTH} characters."),
            ));
        }
        Ok(password)
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.nfc.as_bytes()
    }

    pub fn as_str(&self) -> &str {
        &self.nfc
    }

    pub fn as_typed(&self) -> &str {
        self.typed.as_deref().unwrap_or(&self.nfc)
    }

    /// Each code point counts as one character.
    pub fn length(&self) -> usize {
        self.nfc.chars().count()
    }
}

/// For forms that ask for a new password twice.
pub fn same_twice(password: &str, again: &str) -> Result<(), FieldError> {
    if password == again {
        return Ok(());
    }
    let message = "Please enter the same password twice.";
    Err(FieldError::new(FieldCode::Mismatch, message))
}

/// A password that may be set. Only [`Strength::judge`](super::strength::Strength::judge) creates one, and nothing else
/// is hashed for a user.
pub struct NewPassword(PlainPassword);

impl NewPassword {
    pub(super) fn judged(password: PlainPassword) -> Self {
        Self(password)
    }

    pub fn plain(&self) -> &PlainPassword {
        &self.0
    }
}

/// The hash of somebody's password in the PHC string format. Has no `Debug` and no `Serialize`.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    pub fn new(phc: String) -> Self {
        Self(phc)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
