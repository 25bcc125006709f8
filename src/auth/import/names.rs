//! Usernames for those whose own we refuse, and for those who have none.

use crate::domain::username::Username;

const MAX: usize = 32;

/// A username as close as possible to `text`. It may be taken: a number makes it unique.
pub fn make(text: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let replaced = text.trim().chars().map(|c| if good(c) { c } else { '-' });
    let name: String = replaced.take(MAX).collect();
    if !name.contains(|c: char| c.is_ascii_alphanumeric()) {
        return "user".to_owned();
    }
    match Username::parse(&name) {
        Ok(_) => name,
        // Too short, or reserved.
        Err(_) => format!("user-{name}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_we_refuse_becomes_a_hyphen() {
        for (text, name) in [
            ("susan", "susan"),
            ("ann maier", "ann-maier"),
            (" ann ", "ann"),
            ("anna@example.com", "anna-example.com"),
            ("M\u{fc}ller", "M-ller"),
            ("al", "user-al"),
            ("Admin", "user-Admin"),
            ("\u{674e}\u{660e}", "user"),
            ("", "user"),
        ] {
            assert_eq!(make(text), name, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_made_is_a_username(text in ".{0,60}") {
            prop_assert!(Username::parse(&make(&text)).is_ok());
        }
    }
}
