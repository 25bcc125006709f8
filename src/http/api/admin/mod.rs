//! Administration: users, their sessions and roles, what happened. Every operation asks for the role `admin`.

pub mod events;
pub mod query;
pub mod user;
pub mod users;
pub mod views;
