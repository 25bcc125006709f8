//! The six digits that an authenticator app shows.

pub const DIGITS: usize = 6;

/// Six ASCII digits. What they are worth depends on a secret and the time.
pub struct TotpCode(String);

impl TotpCode {
    /// Reads the digits with the white space that apps show between them.
    pub fn parse(text: &str) -> Option<Self> {
        let written = text.chars().filter(|c| !c.is_whitespace());
        // One more than a code has, so that a longer text is not taken for its beginning.
        let digits: String = written.take(DIGITS + 1).collect();
        let is_code = digits.len() == DIGITS && digits.bytes().all(|c| c.is_ascii_digit());
        is_code.then_some(Self(digits))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_are_a_code_and_nothing_else_is() {
        for written in [
            "012345",
            "012 345",
            " 01 23 45\n",
            "012\u{a0}345",
            "012\u{202f}345",
        ] {
            let code = TotpCode::parse(written);
            let code = code.as_ref().map(TotpCode::as_str);
            assert_eq!(code, Some("012345"), "{written}");
        }
        for written in [
            "",
            "12345",
            "0123456",
            "012345 012345",
            "+12345",
            "-12345",
            "12345a",
            "0x1234",
            "012-345",
            "01234\u{665}",
            "\u{661}\u{662}\u{663}",
            "\u{ff10}12345",
            "12345\0",
        ] {
            assert!(TotpCode::parse(written).is_none(), "{written}");
        }
    }
}
