//! The command line: the commands, and the function that runs each.

use std::ffi::OsString;
use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::arguments::Notes;
use crate::app::own::Own;
use crate::config::{DatabaseSettings, LogSettings, Settings};
use crate::store::db::migrations;

mod arguments;
mod database;
mod doctor;
mod done;
mod health;
mod log;
mod mail;
pub mod programs;
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
    #[command(
        after_help = "Each setting is an option, else an environment variable, else a line of the file .env in the \
                      working directory."
    )]
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
    #[command(
        mut_args = doctor::hide_settings,
        after_help = "It reads the settings of the server too, which latchkey serve --help lists."
    )]
    Doctor(Box<doctor::DoctorArgs>),
    /// Ask the server on this machine whether it runs; exit code 0 means yes (for supervisors and containers)
    Health(health::HealthArgs),
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
    let given = with_default_command(std::env::args_os().collect());
    match arguments::read(&given).and_then(|(cli, notes)| run(cli, &notes, own)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkey: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, notes: &Notes, own: Own) -> anyhow::Result<()> {
    if !matches!(cli.command, Command::Serve(_)) {
        // The others have no log.
        for warning in &notes.warnings {
            eprintln!("latchkey: {warning}");
        }
    }
    match cli.command {
        Command::Serve(settings) => serve::run(&settings, notes, own),
        Command::Migrate(args) => migrate(&args, own),
        Command::Openapi => print_openapi(),
        Command::Users(args) => users::run(&args),
        Command::Mail(args) => mail::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Health(args) => health::run(&args),
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
