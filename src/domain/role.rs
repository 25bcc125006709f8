//! Roles: what somebody may do, everywhere or in an area.

use super::field::{FieldCode, FieldError};

/// Roles of one user, and the length of each. All together fit into a header (SECURITY K5).
pub const MAX_PER_USER: usize = 50;
const GRANTED_MAX: usize = 96;
/// What everybody has who is logged in. It cannot be granted.
pub const USER: &str = "user";
/// Opens the administration.
pub const ADMIN: &str = "admin";

const NAME_MAX: usize = 32;
const SEGMENT_MAX: usize = 32;
const SEGMENTS_MAX: usize = 4;

/// `name`, which covers every area, or `name:area`, which covers the area and what is below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role {
    name: String,
    /// Empty: everywhere.
    area: String,
}

impl Role {
    /// A role that somebody can have or that can be asked for.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let (name, area) = match text.split_once(':') {
            Some((name, area)) => (name, Some(area)),
            None => (text, None),
        };
        let whole = is_name(name) && area.is_none_or(is_area) && (name != ADMIN || area.is_none());
        if !whole || (name == USER && area.is_some()) {
            let message = "Use a role such as editor or editor:media/7.";
            return Err(FieldError::new(FieldCode::Invalid, message));
        }
        Ok(Self {
            name: name.to_owned(),
            area: area.unwrap_or_default().to_owned(),
        })
    }

    /// A role that can be granted.
    pub fn to_grant(text: &str) -> Result<Self, FieldError> {
        let role = Self::parse(text)?;
        if role.name == USER {
            let message = "Everybody has this role; use another one.";
            return Err(FieldError::new(FieldCode::Reserved, message));
        }
        if text.len() > GRANTED_MAX {
            let message = format!("Use at most {GRANTED_MAX} characters.");
            return Err(FieldError::new(FieldCode::TooLong, message));
        }
        Ok(role)
    }

    /// All roles of a user, each once.
    pub fn all_to_grant(texts: &[String]) -> Result<Vec<Self>, FieldError> {
        let parsed = texts.iter().map(|text| Self::to_grant(text));
        let mut roles = parsed.collect::<Result<Vec<_>, _>>()?;
        roles.sort();
        roles.dedup();
        if roles.len() > MAX_PER_USER {
            return Err(too_many());
        }
        Ok(roles)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn area(&self) -> &str {
        &self.area
    }
}

pub fn too_many() -> FieldError {
    let message = format!("A user has at most {MAX_PER_USER} roles.");
    FieldError::new(FieldCode::TooLong, message)
}

/// Whether somebody with the role `granted`, as the database writes it, may do what `asked` stands for. An area covers
/// what is below it on a `/` boundary.
pub fn covers(granted: &str, asked: &Role) -> bool {
    let (name, area) = granted.split_once(':').unwrap_or((granted, ""));
    if name != asked.name {
        return false;
    }
    area.is_empty()
        || asked
            .area
            .strip_prefix(area)
            .is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.area.as_str() {
            "" => f.write_str(&self.name),
            area => write!(f, "{}:{area}", self.name),
        }
    }
}

fn is_name(text: &str) -> bool {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-');
    text.len() <= NAME_MAX
        && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && text.bytes().all(good)
}

/// Segments such as `.` and `..` are refused: a path that climbs would mean something else to a backend.
fn is_area(text: &str) -> bool {
    let good =
        |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-');
    let segment = |text: &str| {
        let length = (1..=SEGMENT_MAX).contains(&text.len());
        length && text != "." && text != ".." && text.bytes().all(good)
    };
    text.split('/').count() <= SEGMENTS_MAX && text.split('/').all(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_its_area_and_what_is_below() {
        for (granted, asked, expected) in [
            ("editor", "editor", true),
            ("editor", "editor:media/7", true),
            ("editor:media", "editor:media", true),
            ("editor:media", "editor:media/7", true),
            ("editor:media", "editor:mediathek", false),
            ("editor:media", "editor", false),
            ("editor:media/7", "editor:media", false),
            ("editor", "editors", false),
            ("viewer:media", "viewer:media/banks/7", true),
            ("admin", "editor", false),
        ] {
            let asked = Role::parse(asked).unwrap();
            assert_eq!(covers(granted, &asked), expected, "{granted} {asked}");
        }
    }

    #[test]
    fn roles_are_names_with_areas() {
        let long = "a".repeat(33);
        for good in [
            "editor",
            "a",
            "x-1_y",
            "viewer:media/banks/7/a.b",
            "admin",
            "user",
        ] {
            assert_eq!(Role::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "Editor",
            "1a",
            "-a",
            "a:",
            ":a",
            "a:/b",
            "a:b/",
            "a:b//c",
            "a:..",
            "a:b/../c",
            "a:.",
            "a b",
            "a:B",
            "a:b:c",
            "a:1/2/3/4/5",
            "admin:x",
            "user:x",
            "a\n",
            "\u{e9}ditor",
            &long,
            &format!("a:{long}"),
        ] {
            assert!(Role::parse(bad).is_err(), "{bad}");
        }
        assert!(Role::to_grant("user").is_err());
        let longest = format!("a:{}/{}/{}", "b".repeat(32), "c".repeat(32), "d".repeat(28));
        assert_eq!(longest.len(), 96);
        assert!(Role::to_grant(&longest).is_ok());
        assert!(Role::to_grant(&format!("{longest}e")).is_err());
        assert!(Role::parse(&format!("{longest}e")).is_ok());
    }
}
