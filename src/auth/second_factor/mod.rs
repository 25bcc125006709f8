//! Second factors: authenticator apps, recovery codes, and browsers that need neither.

pub mod by_passkey;
pub mod code;
pub mod completion;
pub mod enrolment;
pub mod otpauth;
pub mod recovery;
pub mod resealing;
pub mod sealed;
pub mod step;
pub mod switch;
pub mod totp;
pub mod trusted_devices;
mod warning;
