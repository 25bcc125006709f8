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
//!
//! # Your own endpoints in the same process
//!
//! A program of yours can be Latchkey with endpoints of its own: give [`main_with`] your services and migrations, and it
//! is the whole `latchkey` command. `examples/own_api.rs` is such a program. These names are meant for that; everything
//! else may change.
//!
//! - [`Own`]: your services and tables
//! - [`CurrentUser`], [`FreshUser`], [`WithRole`], [`Visitor`]: handler arguments that are the access rules
//! - [`Db`] as `Data<Db>`, [`Json`] for bodies, [`Problem`] for refusals

pub use app::own::Own;
pub use cli::main_with;
pub use http::session::guards::{CurrentUser, FreshUser, Visitor};
pub use http::session::roles::{RoleName, WithRole};
pub use http::wire::body::Json;
pub use http::wire::problem::Problem;
pub use store::db::Db;

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod mail;
pub mod store;
