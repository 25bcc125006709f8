//! E-mail addresses, validated and normalized as Python's email-validator does by default.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::field::{FieldCode, FieldError};

/// RFC 5321 4.5.3.1.3 with RFC 3696 erratum 1690, in octets.
const MAX: usize = 254;
/// RFC 5321 4.5.3.1.1, in octets.
const LOCAL_MAX: usize = 64;
/// RFC 1035 2.3.4 without the root label.
const DOMAIN_MAX: usize = 253;

/// RFC 6761, 6762 and 7686: domains that mail cannot be delivered to.
const SPECIAL_USE: &[&str] = &["arpa", "invalid", "local", "localhost", "onion", "test"];

/// An address with an NFC local part and a lower-case Unicode domain.
#[derive(Debug, Clone)]
pub struct Email(String);

impl Email {
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        if text.trim().is_empty() {
            return Err(FieldError::required());
        }
        if text.len() > MAX {
            return Err(FieldError::new(
                FieldCode::TooLong,
                format!("Use at most {MAX} characters."),
            ));
        }
        Self::parse_parts(text)
            .ok_or_else(|| FieldError::new(FieldCode::Invalid, "Please use a valid email address."))
    }

    fn parse_parts(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let local = local_part(local)?;
        let (ascii, unicode) = domain_name(domain)?;
        let short = |domain: &str| local.len() + 1 + domain.len() <= MAX;
        (short(&ascii) && short(&unicode)).then(|| Self(format!("{local}@{unicode}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A dot-atom (RFC 5322 3.2.3) with the characters that RFC 6531 adds; no quoted strings. It must be one before NFC as
/// well: `<` and U+0338 compose to `≮`, which would hide the `<`.
fn local_part(text: &str) -> Option<String> {
    let normal: String = text.nfc().collect();
    let atom = |atom: &str| !atom.is_empty() && atom.chars().all(|c| !c.is_ascii() || is_atext(c));
    let is_dot_atom = |text: &str| text.split('.').all(atom) && is_safe(text);
    let good = normal.len() <= LOCAL_MAX && is_dot_atom(text) && is_dot_atom(&normal);
    good.then_some(normal)
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_!#$%&'*+-/=?^`{|}~".contains(c)
}

/// Only letters, numbers, punctuation, symbols, and marks after the first character: nothing invisible.
fn is_safe(text: &str) -> bool {
    text.chars()
        .enumerate()
        .all(|(index, c)| match c.general_category_group() {
            GeneralCategoryGroup::Letter
            | GeneralCategoryGroup::Number
            | GeneralCategoryGroup::Punctuation
            | GeneralCategoryGroup::Symbol => true,
            GeneralCategoryGroup::Mark => index > 0,
            GeneralCategoryGroup::Separator | GeneralCategoryGroup::Other => false,
        })
}

/// The domain in ASCII for DNS and in Unicode for people. No address literals, no single labels.
fn domain_name(text: &str) -> Option<(String, String)> {
    let uts46 = Uts46::new();
    let is_ldh = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !text.chars().all(|c| !c.is_ascii() || is_ldh(c)) || !is_safe(text) || text.ends_with('.') {
        return None;
    }
    let ascii = uts46
        .to_ascii(
            text.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::Check,
            DnsLength::Verify,
        )
        .ok()?
        .into_owned();
    let top = ascii.rsplit_once('.')?.1;
    let special = SPECIAL_USE
        .iter()
        .any(|name| ascii == *name || ascii.ends_with(&format!(".{name}")));
    if special || ascii.len() > DOMAIN_MAX || !top.ends_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let (unicode, converted) =
        uts46.to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    let unicode = unicode.into_owned();
    (converted.is_ok() && is_idna2008(&unicode)).then_some((ascii, unicode))
}

/// Only letters, marks and digits: IDNA 2008 (RFC 5892) excludes the symbols that UTS 46 accepts. A middle dot may only
/// stand between two `l`, as in Catalan (appendix A.3).
fn is_idna2008(domain: &str) -> bool {
    domain
        .replace("l\u{b7}l", "ll")
        .chars()
        .all(|c| c.is_ascii() || is_pvalid(c))
}

/// RFC 5892 section 3, without the characters that UTS 46 already maps or rejects.
fn is_pvalid(c: char) -> bool {
    match c {
        // 2.6 Exceptions
        '\u{f0b}' | '\u{3007}' => true,
        '\u{640}' | '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}' => {
            false
        }
        // 2.4 IgnorableBlocks: marks for symbols, and musical notation
        '\u{20d0}'..='\u{20ff}' | '\u{1d100}'..='\u{1d24f}' => false,
        // 2.9 OldHangulJamo
        '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{d7b0}'..='\u{d7ff}' => false,
        // 2.1 LetterDigits
        _ => matches!(
            c.general_category(),
            GeneralCategory::UppercaseLetter
                | GeneralCategory::LowercaseLetter
                | GeneralCategory::OtherLetter
                | GeneralCategory::ModifierLetter
                | GeneralCategory::NonspacingMark
                | GeneralCategory::SpacingMark
                | GeneralCategory::DecimalNumber
        ),
    }
}
