//! Latchkey: the login backend for a single-page app.
//!
//! The map of the house; arrows go down only.
//!
//! - `main`, [`cli`], [`config`], [`app`]: the command, its settings, and putting the parts together
//! - [`http`]: actix, JSON, cookies, OpenAPI; knows `auth`
//! - [`auth`]: the rules, hashing, sessions; knows `store`
//! - [`store`]: diesel and SQL, the local PostgreSQL
//! - [`domain`]: names, addresses, passwords and other plain values

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod store;
