//! Diesel and SQL only: rows, queries named after the question they answer, and the local PostgreSQL.

pub mod addresses;
pub mod challenges;
pub mod clock;
pub mod db;
pub mod directory;
pub mod events;
pub mod expiry;
pub mod export;
pub mod identities;
pub mod import;
pub mod known_networks;
pub mod local;
pub mod login;
pub mod newcomers;
pub mod oidc_flows;
pub mod outbox;
pub mod passkeys;
pub mod rate_limits;
pub mod roles;
pub mod schema;
pub mod second_factor;
pub mod sessions;
pub mod tokens;
pub mod types;
pub mod users;
pub mod ways;
