//! Passkeys: adding one, logging in with one, and the list of one's own.

pub mod authentication;
pub mod own;
pub mod registration;
pub mod views;
