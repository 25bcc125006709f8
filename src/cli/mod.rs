//! The command line: the commands, and the function that runs each.

use std::ffi::OsString;
use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::own::Own;
use crate::config::{DatabaseSettings, LogSettings, Settings};
use crate::store::db::migrations;

mod database;
mod doctor;
mod done;
mod log;
mod mail;
mod prompt;
mod serve;
mod users;

/// The login backend for a single-page app.
#[derive(Parser)]
#[command(name = "latchkey", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (the default command)
    Serve(Box<Settings>),
    /// Bring the tables of the database up to date
    Migrate(MigrateArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Manage users
    Users(Box<users::UsersArgs>),
    /// Manage mails
    Mail(mail::MailArgs),
    /// Check whether people can log in from a page of your app and mails can leave, and say how to fix what fails
    Doctor(Box<doctor::DoctorArgs>),
}

#[derive(Args)]
struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    log: LogSettings,
}

/// Parses the command line and runs its command.
pub fn main() -> ExitCode {
    main_with(Own::default())
}

/// The whole `latchkey` command, with endpoints and tables of your own in its server.
pub fn main_with(own: Own) -> ExitCode {
    let done = match Cli::parse_from(with_default_command(std::env::args_os().collect())).command {
        Command::Serve(settings) => serve::run(&settings, own),
        Command::Migrate(args) => migrate(&args, own),
        Command::Openapi => print_openapi(),
        Command::Users(args) => users::run(&args),
        Command::Mail(args) => mail::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkey: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `latchkey --listen …` means `latchkey serve --listen …`.
fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let first = arguments
        .get(1)
        .map(|first| first.to_string_lossy().into_owned());
    let about_us = ["--help", "-h", "--version", "-V"];
    if first.is_none_or(|first| first.starts_with('-') && !about_us.contains(&first.as_str())) {
        arguments.insert(1, "serve".into());
    }
    arguments
}

fn migrate(args: &MigrateArgs, own: Own) -> anyhow::Result<()> {
    log::start(&args.log)?;
    let database = database::visit(&args.database)?;
    let mut ran = migrations::run(&database.connector)?;
    if let Some(own) = own.migrations {
        ran.extend(migrations::run_own(&database.connector, own)?);
    }
    for name in &ran {
        writeln!(stdout(), "ran {name}")?;
    }
    let last = if ran.is_empty() {
        "nothing to do"
    } else {
        "done"
    };
    Ok(writeln!(stdout(), "{last}")?)
}

fn print_openapi() -> anyhow::Result<()> {
    let document = crate::http::document().to_pretty_json()?;
    Ok(writeln!(stdout(), "{document}")?)
}
