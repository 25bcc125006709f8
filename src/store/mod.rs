//! Diesel and SQL only: rows, queries named by the question they answer, and the local PostgreSQL.

pub mod connection;
pub mod db;
pub mod error;
pub mod events;
pub mod known_networks;
pub mod local;
pub mod login;
pub mod migrations;
pub mod notifications;
pub mod programs;
pub mod rate_limits;
pub mod schema;
pub mod sessions;
mod sslmode;
mod tls;
pub mod users;
