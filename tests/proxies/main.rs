//! The files of `deploy/` with real nginx and Caddy: `cargo test --test proxies`.
//!
//! Not part of `cargo test`, which needs PostgreSQL and nothing else. From Debian: `nginx-light` and `caddy`; and below
//! `target/ci-tools`, where `.ci/run` installs them, FastAPI and Express. Whoever lacks one sees the tests fail, not pass.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot continue fails"
)]

mod backend;
mod compose;
mod front;
mod house;
#[expect(dead_code, unused_imports, reason = "tests/api asks more of it")]
#[path = "../api/support/mod.rs"]
mod support;
mod traefik;

mod identity;
mod languages;
mod liveness;
mod origins;
mod roles;

/// Each test runs once behind nginx and once behind Caddy.
#[macro_export]
macro_rules! behind_both {
    ($($test:ident),+ $(,)?) => {
        mod nginx {
            $(#[tokio::test] async fn $test() { super::$test($crate::front::Kind::Nginx).await; })+
        }
        mod caddy {
            $(#[tokio::test] async fn $test() { super::$test($crate::front::Kind::Caddy).await; })+
        }
    };
}
