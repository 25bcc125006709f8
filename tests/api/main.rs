//! One test binary, against the real server on port 0 and a real PostgreSQL. Start with `support`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot continue fails"
)]

mod support;

mod access;
mod access_log;
mod account;
mod account_input;
mod account_life;
mod account_races;
mod admin;
mod admin_changes;
mod admin_races;
mod announcements;
mod availability;
mod bad_input;
mod config;
mod connections;
mod contract;
mod cookies;
mod cross_origin;
mod departure;
mod doctor;
mod doctor_mail;
mod events;
mod flood;
mod forwarded;
mod fuzz;
mod hosts;
mod identity;
mod import_databases;
mod import_files;
mod import_trouble;
mod invitations;
mod known;
mod layers;
mod letters;
mod limits;
mod listing;
mod local;
mod mail_commands;
mod mail_settings;
mod mailbox;
mod mailed_tokens;
mod metrics;
mod migrations;
mod moving_out;
mod notices;
mod operator;
mod ops;
mod outbox;
mod own_api;
mod panics;
mod passwords;
mod process;
mod purge;
mod readme;
mod recovery;
mod redirect;
mod revocation;
mod roles;
mod sessions;
mod smtp_trouble;
mod stopping;
mod tls;
mod verification;
mod verify;
