//! The parameters with which a set of recovery codes was hashed. They are stored as text beside it, so that the set stays
//! usable when the operator changes theirs.

use std::fmt::{self, Display, Formatter};

use argon2::Params;

use super::phc::are_within_bounds;

/// Those of argon2id, as a PHC string has them: `m=19456,t=2,p=1`.
#[derive(Clone)]
pub struct HashParams(Params);

impl HashParams {
    pub fn of(params: &Params) -> Self {
        Self(params.clone())
    }

    /// Reads what `Display` wrote. `None` for anything else, and beyond the bounds of stored hashes.
    pub fn parse(text: &str) -> Option<Self> {
        let params = Self(text.parse().ok()?);
        (are_within_bounds(&params.0) && params.to_string() == text).then_some(params)
    }

    pub fn get(&self) -> &Params {
        &self.0
    }
}

impl Display for HashParams {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (memory, passes, lanes) = (self.0.m_cost(), self.0.t_cost(), self.0.p_cost());
        write!(f, "m={memory},t={passes},p={lanes}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(text: &str) -> Option<String> {
        HashParams::parse(text).map(|params| params.to_string())
    }

    #[test]
    fn what_was_written_is_read_back() {
        for text in ["m=19456,t=2,p=1", "m=8,t=1,p=1", "m=262144,t=16,p=4"] {
            assert_eq!(read_back(text).as_deref(), Some(text));
        }
        let operators = HashParams::of(&Params::new(47_104, 1, 1, Some(32)).unwrap());
        assert_eq!(
            read_back(&operators.to_string()).as_deref(),
            Some("m=47104,t=1,p=1")
        );
    }

    #[test]
    fn nothing_else_is_and_nothing_too_costly() {
        for text in [
            "",
            "m=19456",
            "m=19456,t=2",
            "t=2,m=19456,p=1",
            "m=019456,t=2,p=1",
            "m=19456,t=2,p=1 ",
            "m=19456,t=2,p=1,t=2",
            "m=19456,t=2,p=1,keyid=AAAA",
            "m=19456,t=2,p=1,data=AAAA",
            "m=-1,t=2,p=1",
            "m=7,t=2,p=1",
            "m=19456,t=0,p=1",
            "m=19456,t=2,p=0",
            "m=262145,t=2,p=1",
            "m=19456,t=17,p=1",
            "m=19456,t=2,p=5",
            "m=4294967295,t=4294967295,p=16777215",
            "m=99999999999,t=2,p=1",
            "$argon2id$v=19$m=19456,t=2,p=1",
        ] {
            assert_eq!(read_back(text), None, "{text}");
        }
    }
}
