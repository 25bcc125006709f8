//! `latchkey users`: what operators do to users from a shell.

use clap::{Args, Subcommand};

use super::done::Done;
use super::{database, log};
use crate::app;
use crate::auth::metrics::Metrics;
use crate::auth::second_factor::sealed::Sealer;
use crate::auth::services::{Policy, Services};
use crate::auth::upkeep;
use crate::config::{DatabaseSettings, LogSettings, PasswordSettings};
use crate::store::db::migrations;
use export::ExportArgs;
use import::ImportArgs;
use list::ListArgs;
use one::Name;

mod export;
mod import;
mod list;
mod one;
mod shown;

#[derive(Args)]
pub struct UsersArgs {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    passwords: PasswordSettings,
    #[command(flatten)]
    log: LogSettings,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Subcommand)]
enum UsersCommand {
    /// Register a user; asks for the password, or reads it from standard input. A mail asks them to confirm the address
    Add { username: String, email: String },
    /// Create a user without a password, and mail them a link to choose one
    Invite { username: String, email: String },
    /// List users: all of them, or those who are looked for
    List(ListArgs),
    /// Show a user
    Show(Name),
    /// Set a user's password and end their sessions; asks for it, or reads it from standard input
    SetPassword(Name),
    /// Keep a user from logging in, and end their sessions
    Disable(Name),
    /// Let a disabled user log in again
    Enable(Name),
    /// End all sessions of a user
    RevokeSessions(Name),
    /// Forget the failed logins to an account, so that other people's attempts no longer keep its owner out
    Unlock(Name),
    /// Turn off a user's second factor, for somebody who has lost it, and end their sessions
    ResetSecondFactor(Name),
    /// Grant a user a role, such as editor or editor:media/7
    Grant {
        #[command(flatten)]
        name: Name,
        role: String,
    },
    /// Take a role from a user
    Revoke {
        #[command(flatten)]
        name: Name,
        role: String,
    },
    /// Delete a user and all their data; asks first
    Delete {
        #[command(flatten)]
        name: Name,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Import users of another system with their password hashes. Without --yes it only reports who would come
    Import(ImportArgs),
    /// Write all users as JSON lines, which import reads
    Export(ExportArgs),
}

pub fn run(args: &UsersArgs) -> anyhow::Result<()> {
    log::start(&args.log)?;
    let database = database::visit(&args.database)?;
    migrations::run(&database.connector)?;
    let services = app::services(
        &args.database,
        &args.passwords,
        Policy::of_operators(args.passwords.strength()),
        None,
        Sealer::of_nobody()?,
        database.connector.clone(),
        Metrics::default(),
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let done = execute(&services, args).await;
        upkeep::finish(&services).await?;
        let done = done?;
        done.print(args.json)
    })
}

async fn execute(services: &Services, args: &UsersArgs) -> anyhow::Result<Done> {
    match &args.command {
        UsersCommand::Add { username, email } => one::add(services, username, email).await,
        UsersCommand::Invite { username, email } => one::invite(services, username, email).await,
        UsersCommand::List(which) => list::run(services, which).await,
        UsersCommand::Show(name) => Ok(shown::shown(&one::find(services, name).await?)),
        UsersCommand::SetPassword(name) => one::set_password(services, name).await,
        UsersCommand::Disable(name) => one::set_disabled(services, name, true).await,
        UsersCommand::Enable(name) => one::set_disabled(services, name, false).await,
        UsersCommand::RevokeSessions(name) => one::revoke_sessions(services, name).await,
        UsersCommand::Unlock(name) => one::unlock(services, name).await,
        UsersCommand::ResetSecondFactor(name) => one::reset_second_factor(services, name).await,
        UsersCommand::Grant { name, role } => one::change_role(services, name, role, true).await,
        UsersCommand::Revoke { name, role } => one::change_role(services, name, role, false).await,
        UsersCommand::Delete { name, yes } => one::delete(services, name, *yes).await,
        UsersCommand::Import(source) => import::run(services, source, args.json).await,
        UsersCommand::Export(wanted) => export::run(services, wanted).await,
    }
}
