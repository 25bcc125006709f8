//! Usernames: 3–32 ASCII letters, digits, `.`, `_`, `-`.

use super::field::{FieldCode, FieldError};

const MIN: usize = 3;
const MAX: usize = 32;

/// Names that could be mistaken for a page or a mail address of the site (RFC 2142 and common routes).
const RESERVED: &[&str] = &[
    "abuse",
    "account",
    "admin",
    "administrator",
    "anonymous",
    "api",
    "auth",
    "help",
    "hostmaster",
    "info",
    "latchkey",
    "login",
    "logout",
    "mail",
    "me",
    "noreply",
    "no-reply",
    "null",
    "owner",
    "postmaster",
    "register",
    "root",
    "security",
    "staff",
    "support",
    "system",
    "undefined",
    "webmaster",
    "www",
];

/// A name as its owner writes it. Names that differ only in case are the same.
#[derive(Debug, Clone)]
pub struct Username(String);

impl Username {
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        if text.trim().is_empty() {
            return Err(FieldError::required());
        }
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !text.chars().all(good) {
            let message = "Use letters, digits, dots, underscores and hyphens only.";
            return Err(FieldError::new(FieldCode::Invalid, message));
        }
        if text.len() < MIN {
            return Err(FieldError::new(
                FieldCode::TooShort,
                format!("Use at least {MIN} characters."),
            ));
        }
        if text.len() > MAX {
            return Err(FieldError::new(
                FieldCode::TooLong,
                format!("Use at most {MAX} characters."),
            ));
        }
        let name = Self(text.to_owned());
        if RESERVED.contains(&name.canonical().as_str()) {
            return Err(FieldError::new(
                FieldCode::Reserved,
                "Please use a different username.",
            ));
        }
        Ok(name)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names are compared.
    pub fn canonical(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}
