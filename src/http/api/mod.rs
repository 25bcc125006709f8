//! What pages call, one feature per file. Handlers extract, call one rule of `auth`, and shape the response.

pub mod account;
pub mod admin;
pub mod config;
pub mod email;
pub mod events;
pub mod export;
pub mod logged_in;
pub mod login;
pub mod methods;
pub mod oidc;
pub mod operations;
pub mod passkeys;
pub mod password;
pub mod reauthentication;
pub mod recovery;
pub mod second_factor;
pub mod sessions;
pub mod verify;
pub mod views;
