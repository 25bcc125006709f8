//! Recovery codes: what somebody keeps on paper for the day when their second factor is lost.

use std::fmt::{self, Display, Formatter, Write};

use super::base32::{BYTES, CROCKFORD, SYMBOLS, decode, encode};
use super::secret::{NoRandom, random};

/// Symbols between two hyphens.
const GROUP: usize = 4;

/// 80 random bits, of which NIST SP 800-63B-4 section 4.2.1.1 asks for 64. Shown as `xxxx-xxxx-xxxx-xxxx`.
pub struct RecoveryCode([u8; BYTES]);

impl RecoveryCode {
    pub fn generate() -> Result<Self, NoRandom> {
        random().map(Self)
    }

    /// Reads what somebody copied by hand: in any case, with or without hyphens and white space, with `o` for zero and
    /// `i` or `l` for one.
    pub fn parse(text: &str) -> Option<Self> {
        let written = text.chars().filter(|c| *c != '-' && !c.is_whitespace());
        // One more than a code has, so that a longer text is not taken for its beginning.
        let symbols: Option<Vec<u8>> = written.take(SYMBOLS + 1).map(meant).collect();
        decode(&symbols?, CROCKFORD).map(Self)
    }

    pub fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

fn meant(written: char) -> Option<u8> {
    let symbol = u8::try_from(written).ok().filter(u8::is_ascii)?;
    Some(match symbol.to_ascii_lowercase() {
        b'o' => b'0',
        b'i' | b'l' => b'1',
        symbol => symbol,
    })
}

/// As it is shown, once, to its owner.
impl Display for RecoveryCode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, symbol) in encode(&self.0, CROCKFORD).into_iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                f.write_char('-')?;
            }
            f.write_char(symbol)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Option<[u8; BYTES]> {
        RecoveryCode::parse(text).map(|code| *code.as_bytes())
    }

    #[test]
    fn what_people_make_of_a_code_is_the_code() {
        let bytes = *b"\x00\x44\x32\x14\xc7\x42\x54\xb6\x35\xcf";
        let shown = RecoveryCode(bytes).to_string();
        assert_eq!(shown, "0123-4567-89ab-cdef");
        for written in [
            "0123-4567-89ab-cdef",
            "0123456789abcdef",
            "0123-4567-89AB-CDEF",
            "o123-4567-89ab-cdef",
            "OI23-4567-89ab-cdef",
            "0l23-4567-89ab-cdef",
            "0L23 4567 89ab cdef",
            " 0i2-34567 89AB\u{a0}cdef\r\n",
            "-0-1-2-3--4567---89abcdef-",
        ] {
            assert_eq!(parsed(written), Some(bytes), "{written}");
        }
    }

    #[test]
    fn nothing_else_is_a_code() {
        for written in [
            "",
            "----",
            "0123-4567-89ab-cde",
            "0123-4567-89ab-cdef-0",
            "0123-4567-89ab-cdeu",
            "U123-4567-89ab-cdef",
            "0123_4567_89ab_cdef",
            "0123\u{2013}4567\u{2013}89ab\u{2013}cdef",
            "\u{661}123-4567-89ab-cdef",
            "0123-4567-89ab-cde\u{ff46}",
            "0123-4567-89ab-cde\u{130}",
            "0123-4567-89ab-cdef\0",
            "0123-4567-89ab-cdef 0123-4567-89ab-cdef",
        ] {
            assert_eq!(parsed(written), None, "{written}");
        }
    }

    #[test]
    fn no_two_codes_are_the_same() {
        let code = || RecoveryCode::generate().unwrap().to_string();
        let codes: std::collections::HashSet<_> = (0..1000).map(|_| code()).collect();
        assert_eq!(codes.len(), 1000);
    }

    /// How people may write a symbol.
    fn written(symbol: char) -> impl Strategy<Value = String> {
        let symbols = match symbol {
            '0' => "0oO".to_owned(),
            '1' => "1iIlL".to_owned(),
            other => format!("{other}{}", other.to_ascii_uppercase()),
        };
        let symbols: Vec<char> = symbols.chars().collect();
        let around = "[- \t\u{a0}]{0,2}";
        (around, prop::sample::select(symbols), around)
            .prop_map(|(before, symbol, after)| format!("{before}{symbol}{after}"))
    }

    proptest! {
        #[test]
        fn every_code_is_read_back_however_it_is_written(
            (bytes, written) in any::<[u8; BYTES]>().prop_flat_map(|bytes| {
                let symbols = Vec::from(encode(&bytes, CROCKFORD).map(written));
                (Just(bytes), symbols.prop_map(|symbols| symbols.concat()))
            })
        ) {
            let shown = RecoveryCode(bytes).to_string();
            prop_assert_eq!(parsed(&shown), Some(bytes));
            prop_assert_eq!(parsed(&written), Some(bytes));
        }

        #[test]
        fn one_wrong_symbol_makes_it_no_code(
            bytes: [u8; BYTES],
            at in 0..19_usize,
            wrong in any::<char>().prop_filter("in no code", |c| {
                !c.is_ascii_alphanumeric() && *c != '-' && !c.is_whitespace()
            })
        ) {
            let mut shown = RecoveryCode(bytes).to_string();
            for wrong in [wrong, 'u', 'U'] {
                let kept = shown.remove(at);
                shown.insert(at, wrong);
                prop_assert_eq!(parsed(&shown), None);
                shown.remove(at);
                shown.insert(at, kept);
            }
            shown.insert(at, '0');
            prop_assert_eq!(parsed(&shown), None);
        }
    }
}
