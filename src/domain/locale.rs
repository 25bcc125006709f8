//! The language that somebody reads, as a BCP 47 tag.

use super::field::{FieldCode, FieldError};

/// RFC 5646 4.4.1: no useful tag is longer.
const MAX: usize = 35;

/// A well-formed tag, such as `de-AT`. Whether there are texts in that language is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale(String);

impl Locale {
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        Self::of_tag(text).ok_or_else(|| {
            FieldError::new(
                FieldCode::Invalid,
                "Use a language tag such as en or de-AT.",
            )
        })
    }

    /// The language that an Accept-Language header (RFC 9110 12.5.4) prefers.
    pub fn of_header(header: &str) -> Option<Self> {
        let ranges = header.split(',').take(20).filter_map(|range| {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = parameters.trim().strip_prefix("q=").map(str::parse);
            let weight: f32 = weight.unwrap_or(Ok(1.0)).ok()?;
            Some((Self::of_tag(tag.trim())?, weight)).filter(|(_, weight)| *weight > 0.0)
        });
        // The first of those that weigh most.
        let best = ranges.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(locale, _)| locale)
    }

    fn of_tag(text: &str) -> Option<Self> {
        let good = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_alphanumeric())
        };
        let language = text.split('-').next().unwrap_or_default();
        let named = language.len() >= 2 && language.bytes().all(|c| c.is_ascii_alphabetic());
        let whole = named && text.len() <= MAX && text.split('-').all(good);
        whole.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_preferred_language() {
        for (header, preferred) in [
            ("de", Some("de")),
            ("de-AT,de;q=0.9,en;q=0.8", Some("de-AT")),
            ("en;q=0.5, fr;q=0.9", Some("fr")),
            ("*", None),
            ("de;q=0, en;q=0.1", Some("en")),
            ("", None),
            ("x\r\nBcc: a@b.c, en", Some("en")),
            ("de;q=much", None),
        ] {
            let found = Locale::of_header(header);
            assert_eq!(found.as_ref().map(Locale::as_str), preferred, "{header}");
        }
    }

    #[test]
    fn only_well_formed_tags_are_locales() {
        for good in ["en", "de-AT", "zh-Hant-TW", "sr-Latn-RS"] {
            assert!(Locale::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "e",
            "de_AT",
            "de-",
            "1e",
            "de\n",
            "../en",
            "en-123456789",
            "d\u{e9}",
            "en.txt",
        ] {
            assert!(Locale::parse(bad).is_err(), "{bad}");
        }
    }
}
