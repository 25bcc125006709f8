//! Which users are asked for, and from where on.

use strum::EnumString;

use crate::domain::moment::Moment;
use crate::domain::role::Role;

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// What the username or the address begins with, in any case.
    pub prefix: Option<String>,
    /// Exactly this role.
    pub role: Option<Role>,
    pub state: Option<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    Active,
    Disabled,
    Unverified,
}

/// Where a page ends, so that the next one neither skips nor repeats anybody, whoever registers meanwhile. Each order has
/// an index of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Registered(Moment),
    Username(String),
    /// Of those whose username does not match.
    Email(String),
}

impl Place {
    pub fn is_by_name(&self) -> bool {
        !matches!(self, Self::Registered(_))
    }
}
