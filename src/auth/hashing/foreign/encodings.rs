//! How other systems write bytes and numbers.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Standard base64, with or without padding.
const EITHER: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub fn base64(text: &str) -> Option<Vec<u8>> {
    EITHER.decode(text).ok()
}

/// passlib writes `.` for `+`.
pub fn passlib_base64(text: &str) -> Option<Vec<u8>> {
    base64(&text.replace('.', "+"))
}

pub fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| is_plain(text))
}

/// Without sign or leading zero.
pub fn is_plain(number: &str) -> bool {
    number.bytes().all(|c| c.is_ascii_digit()) && !number.starts_with('0')
}

/// The value of `name=value`.
pub fn named<'a>(name: &str, text: &'a str) -> Option<&'a str> {
    text.strip_prefix(name)?.strip_prefix('=')
}

/// Exactly so many parts.
pub fn parts<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}
