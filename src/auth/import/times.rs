//! Times and yes-or-no fields as other systems write them.

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};

use crate::store::import::When;

/// With `T` or a blank, with an offset such as `Z`, `+02:00` or `+00`, or without one, which means UTC.
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    let aware = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"];
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let aware = aware
        .iter()
        .find_map(|form| DateTime::parse_from_str(text, form).ok())
        .map(|time| time.to_utc());
    let naive = || {
        let parse = |form: &&str| NaiveDateTime::parse_from_str(text, form).ok();
        naive.iter().find_map(parse).map(|time| time.and_utc())
    };
    let time = aware.or_else(|| {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| time.to_utc())
    });
    time.or_else(naive)
        .filter(|time| (1970..=9999).contains(&time.year()))
}

/// Yes or no, or since when.
pub fn flag(text: &str) -> Option<Option<When>> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(Some(When::Now)),
        "false" | "f" | "0" => Some(None),
        _ => time(text).map(|at| Some(When::At(at))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in any::<String>(), like in "[0-9]{1,6}-[0-9]{1,3}-[0-9]{1,3}[T ][0-9:.]{1,20}[Z+-]?[0-9:]{0,6}") {
            time(&text);
            prop_assert!(time(&like).is_none_or(|at| (1970..=9999).contains(&at.year())));
        }
    }

    #[test]
    fn times_are_understood_as_databases_write_them() {
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.000000Z",
            "2026-01-02 03:04:05",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05.000000",
            "2026-01-02 03:04:05+00",
            "2026-01-02 05:04:05+02",
            "2026-01-02 05:04:05.0+02:00",
            "2026-01-02 05:04:05 +0200",
            "2026-01-01T22:04:05-05:00",
        ] {
            let at = time(text).map(|at| at.to_rfc3339());
            assert_eq!(at.as_deref(), Some("2026-01-02T03:04:05+00:00"), "{text}");
        }
        let micros = time("2026-01-02 03:04:05.678901").unwrap();
        assert_eq!(micros.timestamp_subsec_micros(), 678_901);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-01-02",
            "2026-13-01 00:00:00",
            "0000-00-00 00:00:00",
            "0001-01-01T00:00:00Z",
            "infinity",
            "1767322805",
            "+12026-01-02T03:04:05Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn flags_are_words_digits_or_times() {
        for yes in ["true", "T", "1"] {
            assert_eq!(flag(yes), Some(Some(When::Now)), "{yes}");
        }
        for no in ["false", "f", "0"] {
            assert_eq!(flag(no), Some(None), "{no}");
        }
        assert!(matches!(
            flag("2026-01-02 03:04:05"),
            Some(Some(When::At(_)))
        ));
        assert_eq!(flag("perhaps"), None);
    }
}
