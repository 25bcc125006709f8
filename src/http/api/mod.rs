//! What pages ask for, a feature in each file. Handlers extract, call one rule of `auth`, and shape the answer.

pub mod account;
pub mod events;
pub mod login;
pub mod operations;
pub mod password;
pub mod sessions;
pub mod views;
