//! Judges one line of a source: who would come, or why they cannot.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::columns::{Column, Raw};
use super::reason::Reason;
use super::{formats, names, times};
use crate::auth::hashing::foreign::{self, Refused};
use crate::domain::email::Email;
use crate::domain::password::PasswordHash;
use crate::domain::role::{Role, USER};
use crate::domain::username::Username;
use crate::store::import::{Arrival, Hash, Name, When};

/// Why a line cannot come.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub column: Option<Column>,
    pub reason: Reason,
    /// What is wrong about it, or what the field holds. Never a hash.
    pub shown: String,
}

impl Refusal {
    fn of(column: Column, reason: Reason, shown: &str) -> Self {
        Self {
            column: Some(column),
            reason,
            shown: shown.to_owned(),
        }
    }

    pub fn malformed(why: String) -> Self {
        Self {
            column: None,
            reason: Reason::Malformed,
            shown: why,
        }
    }
}

pub fn judge(raw: &Raw) -> Result<Arrival, Refusal> {
    if let Some(column) = with_nul(raw) {
        let shown = format!("{} holds a NUL", column.name());
        return Err(Refusal::malformed(shown));
    }
    let email = email(raw, Column::Email)?;
    let pending_email = email
        .is_none()
        .then(|| self::email(raw, Column::PendingEmail))
        .transpose()?
        .flatten();
    let Some(address) = email.as_ref().or(pending_email.as_ref()) else {
        return Err(Refusal::of(Column::Email, Reason::EmailMissing, ""));
    };
    let verified = flag(raw, Column::EmailVerified)?;
    let username = match raw.get(Column::Username) {
        Some(text) => given(text),
        None => made(address.as_str(), Reason::UsernameMissing, ""),
    };
    let hash = raw.get(Column::PasswordHash).map(str::trim);
    let hash = hash.map(self::hash).transpose()?;
    let active = flag(raw, Column::Active)?;
    let inactive = raw.get(Column::Active).is_some() && active.is_none();
    Ok(Arrival {
        id: id(raw),
        username,
        email_verified: verified.filter(|_| email.is_some()),
        email,
        pending_email,
        hash,
        created_at: time(raw, Column::CreatedAt)?,
        last_login_at: time(raw, Column::LastLoginAt)?,
        disabled: flag(raw, Column::Disabled)?.or(inactive.then_some(When::Now)),
        banned_until: time(raw, Column::BannedUntil)?,
        roles: roles(raw)?,
    })
}

fn with_nul(raw: &Raw) -> Option<Column> {
    let columns = <Column as strum::VariantArray>::VARIANTS.iter().copied();
    let has_nul = |column: &Column| raw.get(*column).is_some_and(|text| text.contains('\0'));
    columns.into_iter().find(has_nul)
}

/// From an id of another kind we make the same UUID each time, so that a second import knows whoever changed the address
/// here since the first. The name, which goes into it, tells sources apart. The nil UUID is nobody's.
fn id(raw: &Raw) -> Option<Uuid> {
    let theirs = raw.get(Column::Id)?;
    match Uuid::parse_str(theirs) {
        Ok(id) => Some(id).filter(|id| !id.is_nil()),
        Err(_) => {
            let name = raw.get(Column::Username).or(raw.get(Column::Email))?;
            let made = Sha256::digest(format!("{theirs}\0{}", name.to_lowercase()));
            let (id, _) = made.split_first_chunk()?;
            Some(uuid::Builder::from_custom_bytes(*id).into_uuid())
        }
    }
}

fn email(raw: &Raw, column: Column) -> Result<Option<Email>, Refusal> {
    let Some(text) = raw.get(column).map(str::trim) else {
        return Ok(None);
    };
    match Email::parse(text) {
        Ok(email) => Ok(Some(email)),
        Err(_) => Err(Refusal::of(column, Reason::EmailInvalid, text)),
    }
}

fn given(text: &str) -> Name {
    match Username::parse(text) {
        Ok(username) => Name::Given(username),
        Err(_) => Name::Made {
            // A hash in the wrong column stays secret.
            base: names::make(if formats::is_known(text) { "" } else { text }),
            why: Reason::UsernameRefused.into(),
            instead_of: text.to_owned(),
        },
    }
}

fn made(address: &str, why: Reason, instead_of: &str) -> Name {
    let local = address.split('@').next().unwrap_or_default();
    Name::Made {
        base: names::make(local),
        why: why.into(),
        instead_of: instead_of.to_owned(),
    }
}

fn hash(text: &str) -> Result<Hash, Refusal> {
    let format = formats::name(text);
    match foreign::judge(text) {
        Ok(cost) => Ok(Hash {
            stored: PasswordHash::new(text.to_owned()),
            foreign_kib: cost.foreign_kib,
            slower: cost.slower,
            format,
        }),
        Err(Refused::Unknown) => Err(Refusal::of(Column::PasswordHash, Reason::HashUnknown, "")),
        Err(Refused::TooCostly) => {
            let reason = Reason::HashTooCostly;
            Err(Refusal::of(Column::PasswordHash, reason, format))
        }
    }
}

fn time(raw: &Raw, column: Column) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(text) = raw.get(column) else {
        return Ok(None);
    };
    let wrong = || Refusal::of(column, Reason::TimeInvalid, text);
    times::time(text).map(Some).ok_or_else(wrong)
}

fn flag(raw: &Raw, column: Column) -> Result<Option<When>, Refusal> {
    let Some(text) = raw.get(column) else {
        return Ok(None);
    };
    let wrong = || Refusal::of(column, Reason::FlagInvalid, text);
    times::flag(text).ok_or_else(wrong)
}

/// Separated by blanks. `user` is what everybody has.
fn roles(raw: &Raw) -> Result<Vec<Role>, Refusal> {
    let texts = raw.get(Column::Roles).unwrap_or_default();
    let texts = texts.split_whitespace().filter(|text| *text != USER);
    let texts: Vec<String> = texts.map(ToOwned::to_owned).collect();
    if let Some(bad) = texts.iter().find(|text| Role::to_grant(text).is_err()) {
        return Err(Refusal::of(Column::Roles, Reason::RoleInvalid, bad));
    }
    let too_many = |_| {
        let shown = format!("{} roles", texts.len());
        Refusal::of(Column::Roles, Reason::TooManyRoles, &shown)
    };
    Role::all_to_grant(&texts).map_err(too_many)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::VariantArray;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_line_says_it_is_judged(texts in prop::collection::vec(any::<String>(), Column::VARIANTS.len())) {
            let mut raw = Raw::default();
            for (column, text) in Column::VARIANTS.iter().zip(texts) {
                raw.set(*column, text);
            }
            // Almost never comes, and never panics.
            prop_assert!(judge(&raw).is_err() || raw.get(Column::Email).is_some());
            raw.set(Column::Email, "susan@example.com".to_owned());
            for column in [Column::PasswordHash, Column::Roles, Column::Active, Column::Disabled] {
                raw.set(column, String::new());
            }
            for column in [Column::CreatedAt, Column::EmailVerified, Column::LastLoginAt, Column::BannedUntil] {
                raw.set(column, "2026-01-02 03:04:05".to_owned());
            }
            let name = raw.get(Column::Username).map(ToOwned::to_owned);
            match judge(&raw) {
                Ok(arrival) => {
                    let base = match &arrival.username {
                        Name::Given(username) => username.as_str(),
                        Name::Made { base, .. } => base,
                    };
                    prop_assert!(Username::parse(base).is_ok(), "{name:?}");
                }
                Err(refusal) => prop_assert_eq!(refusal.reason, Reason::Malformed),
            }
        }
    }
}
