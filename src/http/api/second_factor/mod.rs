//! Second factors: to show one at a login, and to set them up.

pub mod recovery_codes;
pub mod step;
pub mod switch;
pub mod totp;
pub mod trusted_devices;
pub mod views;
