//! Mail: the kinds there are, what they say, and how they are delivered.

pub mod browser;
pub mod delivery;
pub mod kind;
pub mod templates;
