//! `latchkey users`: what an operator does from a shell. Passwords come from a prompt or standard input only.

use std::io::{IsTerminal, Write, stdin, stdout};
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::app;
use crate::auth::error::AuthError;
use crate::auth::session::live::Lifetimes;
use crate::auth::{Services, account, upkeep};
use crate::config::{DatabaseSettings, LogSettings, PasswordSettings};
use crate::domain::client::{Client, Devices};
use crate::store::db::migrations;
use crate::store::users::User;

#[derive(Args)]
pub struct UsersArgs {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    passwords: PasswordSettings,
    #[command(flatten)]
    log: LogSettings,
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Subcommand)]
enum UsersCommand {
    /// Register a user; asks for the password, or reads it from standard input
    Add { username: String, email: String },
    /// List all users
    List,
    /// Show one user; NAME is a username or an e-mail address
    Show { name: String },
    /// Give a user a new password; their sessions end
    SetPassword { name: String },
    /// Keep a user out; their sessions end
    Disable { name: String },
    /// Let a disabled user in again
    Enable { name: String },
    /// End all sessions of a user
    RevokeSessions { name: String },
    /// Forget the failed logins to an account, so that strangers' tries no longer keep its owner out
    Unlock {
        /// A username or an e-mail address
        name: String,
    },
    /// Delete a user with everything that is theirs; asks first
    Delete {
        /// A username or an e-mail address
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(args: &UsersArgs) -> anyhow::Result<()> {
    super::start_log(&args.log)?;
    let (connector, _local) = super::open(&args.database, true)?;
    migrations::run(&connector)?;
    let services = app::services(
        &args.database,
        &args.passwords,
        Lifetimes::default(),
        None,
        connector,
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let done = execute(&services, &args.command).await;
        upkeep::finish(&services)
            .await
            .map_err(|error| anyhow::anyhow!("{error:?}"))?;
        done
    })
}

async fn execute(services: &Services, command: &UsersCommand) -> anyhow::Result<()> {
    let name = match command {
        UsersCommand::Add { username, email } => return add(services, username, email).await,
        UsersCommand::List => return list(services).await,
        UsersCommand::Show { name }
        | UsersCommand::SetPassword { name }
        | UsersCommand::Disable { name }
        | UsersCommand::Enable { name }
        | UsersCommand::RevokeSessions { name }
        | UsersCommand::Unlock { name }
        | UsersCommand::Delete { name, .. } => name,
    };
    let shell = shell();
    let found = account::find(services, name, &shell).await;
    let user = &found
        .map_err(explain)?
        .with_context(|| format!("no user {name}"))?
        .user;
    let told = match command {
        UsersCommand::Add { .. } | UsersCommand::List | UsersCommand::Show { .. } => {
            return print_user(user);
        }
        UsersCommand::SetPassword { .. } => {
            account::set_password(services, user, &read_password()?, &shell)
                .await
                .map(|()| "The password is set and all sessions have ended.".to_owned())
        }
        UsersCommand::Disable { .. } => account::set_disabled(services, user, true, &shell)
            .await
            .map(|()| "Disabled; all sessions have ended.".to_owned()),
        UsersCommand::Enable { .. } => account::set_disabled(services, user, false, &shell)
            .await
            .map(|()| "Enabled.".to_owned()),
        UsersCommand::RevokeSessions { .. } => account::revoke_sessions(services, user, &shell)
            .await
            .map(|ended| format!("{ended} sessions have ended.")),
        UsersCommand::Unlock { .. } => account::unlock(services, user, &shell)
            .await
            .map(|()| "Unlocked: failed logins start from zero.".to_owned()),
        UsersCommand::Delete { yes, .. } => {
            if !yes {
                confirm_deletion(user)?;
            }
            account::delete(services, user)
                .await
                .map(|()| format!("{} is deleted.", user.username))
        }
    };
    Ok(writeln!(stdout(), "{}", told.map_err(explain)?)?)
}

async fn add(services: &Services, username: &str, email: &str) -> anyhow::Result<()> {
    let form = account::Registration {
        username: Ok(username.to_owned()),
        email: Ok(email.to_owned()),
        password: Ok(read_password()?),
        password2: None,
    };
    let user = account::register(services, form, &shell()).await;
    print_user(&user.map_err(explain)?)
}

async fn list(services: &Services) -> anyhow::Result<()> {
    let mut out = stdout();
    for user in account::list(services).await.map_err(explain)? {
        let state = if user.disabled_at.is_some() {
            "disabled"
        } else {
            "active"
        };
        let (id, name, email) = (user.id, user.username, user.email);
        writeln!(out, "{id}  {state:<8}  {name:<32}  {email}")?;
    }
    Ok(())
}

/// Whoever sits at the operator's shell.
fn shell() -> Client {
    let user_agent = Some("latchkey users".to_owned());
    Client {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent,
        request_id: Uuid::nil(),
        devices: Devices::default(),
    }
}

fn read_password() -> anyhow::Result<String> {
    if stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        if rpassword::prompt_password("Once more: ")? != password {
            bail!("the two passwords differ");
        }
        return Ok(password);
    }
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn confirm_deletion(user: &User) -> anyhow::Result<()> {
    if !stdin().is_terminal() {
        bail!("deleting cannot be undone; add --yes to do it without being asked");
    }
    let mut out = stdout();
    write!(
        out,
        "Delete {} ({}) with all sessions and events? This cannot be undone. [y/N] ",
        user.username, user.email
    )?;
    out.flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was deleted"),
    }
}

fn print_user(user: &User) -> anyhow::Result<()> {
    let shown =
        |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
    let mut out = stdout();
    writeln!(out, "id          {}", user.id)?;
    writeln!(out, "username    {}", user.username)?;
    writeln!(out, "email       {}", user.email)?;
    writeln!(out, "verified    {}", shown(user.email_verified_at))?;
    writeln!(out, "created     {}", user.created_at.to_rfc3339())?;
    writeln!(out, "last login  {}", shown(user.last_login_at))?;
    writeln!(out, "disabled    {}", shown(user.disabled_at))?;
    Ok(())
}

/// What a rule refused, for a person at a shell.
fn explain(error: AuthError) -> anyhow::Error {
    match error {
        AuthError::Invalid(errors) => {
            let lines = errors.iter().flat_map(|(field, errors)| {
                errors
                    .iter()
                    .map(move |e| format!("\n  {field}: {}", e.message))
            });
            anyhow::anyhow!("refused:{}", lines.collect::<String>())
        }
        AuthError::DatabaseUnavailable(why) => {
            anyhow::anyhow!("the database is not available: {why}")
        }
        other => anyhow::anyhow!("{other:?}"),
    }
}
