//! Second factors: what a login that needs two asks for.

pub mod held;
pub mod recovery_codes;
pub mod required;
pub mod seals;
pub mod steps;
pub mod totp;
pub mod trusted_devices;
