//! Usernames and e-mail addresses: what is accepted, and how it is normalized.

use latchkey::domain::email::Email;
use latchkey::domain::username::Username;
use proptest::prelude::*;

#[test]
fn usernames_are_3_to_32_letters_digits_dots_underscores_and_hyphens() {
    for good in ["abc", "Susan", "a.b-c_d", "000", "x".repeat(32).as_str()] {
        assert!(Username::parse(good).is_ok(), "{good}");
    }
    let long = "x".repeat(33);
    for bad in [
        "",
        "ab",
        long.as_str(),
        "su san",
        "susan@x",
        "süsan",
        "susan\n",
        "su/san",
        "аdmin",
        "ＡＢＣ",
        " susan",
    ] {
        assert!(Username::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn reserved_names_are_refused_in_any_case() {
    for name in ["admin", "Root", "POSTMASTER", "api", "latchkey"] {
        assert!(Username::parse(name).is_err(), "{name}");
    }
}

/// The results of Python's email-validator 2.4 with its defaults and without DNS; `None` if it refuses. The limit of 64
/// for the local part is from its strict mode.
#[test]
fn addresses_agree_with_email_validator() {
    let cases = include!("email_cases.rs");
    let ours = |address: &str| {
        Email::parse(address)
            .ok()
            .map(|email| email.as_str().to_owned())
    };
    let differ: Vec<_> = cases
        .iter()
        .filter(|(address, expected)| ours(address).as_deref() != *expected)
        .collect();
    assert!(differ.is_empty(), "{differ:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_canonical_username_is_canonical(name in "[A-Za-z0-9._-]{3,32}") {
        if let Ok(name) = Username::parse(&name) {
            let canonical = name.canonical();
            prop_assert_eq!(Username::parse(&canonical).unwrap().canonical(), canonical.clone());
            prop_assert_eq!(canonical.to_lowercase(), canonical);
        }
    }

    #[test]
    fn no_input_panics_a_parser(text in any::<String>()) {
        let _ = Username::parse(&text);
        let _ = Email::parse(&text);
        let _ = Email::parse(&format!("a@{text}.com"));
        let _ = Email::parse(&format!("{text}@example.com"));
    }

    #[test]
    fn a_parsed_address_parses_to_itself(
        local in "[a-zA-Z0-9.+\u{e9}\u{fc}\u{3b1}\u{301}-]{1,20}",
        domain in "[a-zA-Z0-9\u{e9}\u{df}\u{3b1}-]{1,20}\\.(com|DE|\u{e9}t)",
    ) {
        if let Ok(email) = Email::parse(&format!("{local}@{domain}")) {
            let again = Email::parse(email.as_str()).map(|email| email.as_str().to_owned());
            prop_assert_eq!(again.ok(), Some(email.as_str().to_owned()));
            prop_assert!(email.as_str().len() <= 254 && !email.as_str().chars().any(char::is_whitespace));
        }
    }
}
