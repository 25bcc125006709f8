//! The session of a request: its cookie, who is there, and the arguments that guard handlers.

pub mod browser;
pub mod cookies;
pub mod store;
