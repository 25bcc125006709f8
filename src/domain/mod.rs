//! Plain values, valid by construction once parsed. No I/O, no async, no services.

pub mod client;
pub mod email;
pub mod field;
pub mod known_passwords;
pub mod locale;
pub mod moment;
pub mod next;
pub mod pages;
pub mod password;
pub mod role;
pub mod secret;
pub mod site;
pub mod strength;
pub mod username;
