//! Plain values, valid by construction once parsed. No I/O, no async, no services.

pub mod base32;
pub mod client;
pub mod email;
pub mod field;
pub mod known_passwords;
pub mod label;
pub mod locale;
pub mod moment;
pub mod next;
pub mod pages;
pub mod password;
pub mod proof;
pub mod recovery_code;
pub mod role;
pub mod rp_id;
pub mod secret;
pub mod site;
pub mod strength;
pub mod totp_code;
pub mod username;
