//! Why somebody cannot come, as a code for programs and in words.

use strum::{EnumString, IntoStaticStr};

use super::formats;

/// What a report shows of a field, in characters.
const SHOWN: usize = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    Malformed,
    EmailMissing,
    EmailInvalid,
    UsernameMissing,
    UsernameRefused,
    UsernameTaken,
    HashUnknown,
    HashTooCostly,
    TimeInvalid,
    FlagInvalid,
    RoleInvalid,
    TooManyRoles,
    DuplicateId,
    DuplicateEmail,
    DuplicateUsername,
    RegisteredMeanwhile,
}

impl Reason {
    /// What a count of such lines is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::EmailMissing => "no address",
            Self::EmailInvalid => "no valid address",
            Self::UsernameMissing => "no username",
            Self::UsernameRefused => "a username that Latchkey refuses",
            Self::UsernameTaken => "the username of an existing user",
            Self::HashUnknown => "an unknown hash",
            Self::HashTooCostly => "a hash that is too costly to verify",
            Self::TimeInvalid => "no valid time",
            Self::FlagInvalid => "neither true nor false",
            Self::RoleInvalid => "no valid role",
            Self::TooManyRoles => "too many roles",
            Self::DuplicateId => "the id of an earlier line",
            Self::DuplicateEmail => "the address of an earlier line",
            Self::DuplicateUsername => "the username of an earlier line",
            Self::RegisteredMeanwhile => "registered by somebody during the import",
        }
    }

    /// What is wrong with one line. `shown` is what the field holds; `detail` depends on the reason: the name that
    /// `--rename` makes, or the earlier line, which a database calls a row (`unit`).
    pub fn message(self, shown: &str, detail: &str, unit: &str) -> String {
        match self {
            Self::Malformed => shown.to_owned(),
            Self::EmailMissing => "there is no address".to_owned(),
            Self::EmailInvalid => format!("\"{shown}\" is not a valid address"),
            Self::UsernameMissing => {
                format!("there is no username; --rename makes it {detail}")
            }
            Self::UsernameRefused => {
                format!("Latchkey refuses \"{shown}\"; --rename makes it {detail}")
            }
            Self::UsernameTaken => {
                format!("an existing user with another address is called {shown}")
            }
            Self::HashUnknown => "Latchkey does not know this kind of hash".to_owned(),
            Self::HashTooCostly => format!("verifying this hash ({shown}) would cost too much"),
            Self::TimeInvalid => format!("\"{shown}\" is not a time such as 2026-01-02T03:04:05Z"),
            Self::FlagInvalid => format!("\"{shown}\" is neither true, false nor a time"),
            Self::RoleInvalid => {
                format!("\"{shown}\" is not a role such as editor or editor:media/7")
            }
            Self::TooManyRoles => format!("{shown} are more than a user may have"),
            Self::DuplicateId => format!("{unit} {detail} has the same id"),
            Self::DuplicateEmail | Self::DuplicateUsername => {
                format!("{shown} is on {unit} {detail} already (case does not count)")
            }
            Self::RegisteredMeanwhile => {
                format!("somebody registered {shown} during the import")
            }
        }
    }
}

/// Fit for a terminal, and short. A hash that stands in a wrong column stays secret.
pub fn plain(text: &str) -> String {
    if formats::is_known(text) {
        return "a hash".to_owned();
    }
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(SHOWN).map(visible).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('\u{2026}');
    }
    shown
}
