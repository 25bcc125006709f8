//! Latchkey: the login backend for a single-page app.
//!
//! The layers, from the top; each uses only those below it.
//!
//! - `main`, [`cli`], [`config`], [`app`]: the command, its settings, and wiring the parts together
//! - [`http`]: actix, JSON, cookies, OpenAPI; uses `auth`
//! - [`auth`]: the rules, hashing, sessions; uses `mail` and `store`
//! - [`mail`]: what mails say, and how they are delivered
//! - [`store`]: diesel and SQL, the local PostgreSQL
//! - [`domain`]: names, addresses, passwords and other plain values

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod mail;
pub mod store;
