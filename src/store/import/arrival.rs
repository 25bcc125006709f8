//! Somebody who arrives, as a row of PostgreSQL's COPY.

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::domain::email::Email;
use crate::domain::password::PasswordHash;
use crate::domain::role::Role;
use crate::domain::username::Username;

/// Since when something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The source does not say: since the import.
    Now,
    At(DateTime<Utc>),
}

pub enum Name {
    Given(Username),
    /// Made from something else, and made unique with a number.
    Made {
        base: String,
        /// The reason why it does not come without being renamed.
        why: &'static str,
        instead_of: String,
    },
}

pub struct Hash {
    pub stored: PasswordHash,
    pub foreign_kib: Option<u32>,
    /// Whether verifying it takes longer than a hash of ours.
    pub slower: bool,
    pub format: &'static str,
}

/// A user who would come.
pub struct Arrival {
    pub id: Option<Uuid>,
    pub username: Name,
    pub email: Option<Email>,
    pub pending_email: Option<Email>,
    pub hash: Option<Hash>,
    pub created_at: Option<DateTime<Utc>>,
    pub email_verified: Option<When>,
    pub disabled: Option<When>,
    pub banned_until: Option<DateTime<Utc>>,
    pub last_login_at: Option<DateTime<Utc>>,
    pub roles: Vec<Role>,
}

/// A line that cannot come.
pub struct Refused<'a> {
    pub field: Option<&'static str>,
    pub reason: &'static str,
    pub shown: &'a str,
}

impl Arrival {
    pub(super) fn write(&self, line: u64, out: &mut Vec<u8>) {
        let (username, made, shown) = match &self.username {
            Name::Given(username) => (username.as_str(), None, username.as_str()),
            Name::Made {
                base,
                why,
                instead_of,
            } => (&**base, Some(*why), &**instead_of),
        };
        let roles: Vec<String> = self
            .roles
            .iter()
            .map(|role| format!("\"{role}\""))
            .collect();
        let hash = self.hash.as_ref();
        let kib = hash.and_then(|hash| hash.foreign_kib);
        let fields = [
            Some(line.to_string()),
            self.id.map(|id| id.to_string()),
            Some(username.to_owned()),
            made.map(ToOwned::to_owned),
            Some(shown.to_owned()),
            self.email.as_ref().map(|email| email.as_str().to_owned()),
            self.pending_email
                .as_ref()
                .map(|email| email.as_str().to_owned()),
            hash.map(|hash| hash.stored.as_str().to_owned()),
            kib.map(|kib| kib.to_string()),
            hash.map(|hash| hash.slower.to_string()),
            hash.map(|hash| hash.format.to_owned()),
            self.created_at.map(time),
            self.email_verified.map(since),
            self.disabled.map(since),
            self.banned_until.map(time),
            self.last_login_at.map(time),
            // In quotes, or a role called null would be none. Roles have no character that would need more.
            Some(format!("{{{}}}", roles.join(","))),
            None,
            None,
        ];
        row(&fields.each_ref().map(Option::as_deref), out);
    }
}

impl Refused<'_> {
    pub(super) fn write(&self, line: u64, out: &mut Vec<u8>) {
        let mut fields = [None; 19];
        let line = line.to_string();
        fields[0] = Some(&*line);
        fields[4] = Some(self.shown);
        fields[17] = self.field;
        fields[18] = Some(self.reason);
        row(&fields, out);
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// PostgreSQL reads `now` as the time of the transaction.
fn since(when: When) -> String {
    match when {
        When::Now => "now".to_owned(),
        When::At(at) => time(at),
    }
}

/// COPY's text format: tabs between fields, `\N` for null.
fn row(fields: &[Option<&str>], out: &mut Vec<u8>) {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(b'\t');
        }
        let Some(text) = field else {
            out.extend_from_slice(b"\\N");
            continue;
        };
        for byte in text.bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                // PostgreSQL has no such text.
                0 => out.push(b'?'),
                byte => out.push(byte),
            }
        }
    }
    out.push(b'\n');
}
