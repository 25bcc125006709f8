//! Accounts at providers (OpenID Connect): going there, coming back, and what one has.

pub mod callback;
pub mod identities;
pub mod start;
pub mod username;
