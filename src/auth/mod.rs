//! The rules: who may do what, hashing, sessions, time. Uses `store`; knows nothing of HTTP.

pub mod account;
pub mod administration;
pub mod deletion;
pub mod email;
pub mod error;
pub mod events;
pub mod export;
pub mod hashing;
pub mod import;
pub mod invitation;
pub mod limits;
pub mod links;
pub mod login;
pub mod methods;
pub mod metrics;
pub mod operator;
pub mod outbox;
pub mod password;
pub mod recovery;
pub mod roles;
pub mod services;
pub mod session;
pub mod upkeep;
