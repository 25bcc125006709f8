//! What pages call, one feature per file. Handlers extract, call one rule of `auth`, and shape the response.

pub mod account;
pub mod config;
pub mod events;
pub mod login;
pub mod operations;
pub mod password;
pub mod sessions;
pub mod views;
