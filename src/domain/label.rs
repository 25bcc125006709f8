//! What people call a thing of theirs, to tell it from others.

use super::field::{FieldCode, FieldError};

/// 1 to 64 characters on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

const MAX_LENGTH: usize = 64;

impl Label {
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(FieldError::required());
        }
        if text.chars().count() > MAX_LENGTH {
            let wanted = "Use at most 64 characters.";
            return Err(FieldError::new(FieldCode::TooLong, wanted));
        }
        if text.chars().any(char::is_control) {
            let wanted = "Use only characters that can be seen.";
            return Err(FieldError::new(FieldCode::Invalid, wanted));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_line_of_64_characters_at_most() {
        let longest = "ü".repeat(64);
        for (text, kept) in [(" My phone ", "My phone"), (&longest, &longest)] {
            assert_eq!(Label::parse(text).unwrap().as_str(), kept);
        }
        let code = |text: &str| Label::parse(text).unwrap_err().code;
        assert_eq!(code("  "), FieldCode::Required);
        assert_eq!(code(&"ü".repeat(65)), FieldCode::TooLong);
        for text in ["a\nb", "a\0b", "\u{1b}[31m"] {
            assert_eq!(code(text), FieldCode::Invalid, "{text:?}");
        }
    }
}
