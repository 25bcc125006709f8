//! `latchkey users`: what an operator does from a shell. Passwords come from a prompt or standard input only.

use std::io::{IsTerminal, Write, stdin, stdout};
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::app;
use crate::auth::client::{Client, Devices};
use crate::auth::error::AuthError;
use crate::auth::recognized::Lifetimes;
use crate::auth::{Services, account, upkeep};
use crate::config::{DatabaseSettings, LogSettings, PasswordSettings};
use crate::store::migrations;
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
        false,
        [0; 32],
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
    let shell = shell();
    match command {
        UsersCommand::Add { username, email } => {
            let password = read_password()?;
            let form = account::Registration {
                username: Ok(username.clone()),
                email: Ok(email.clone()),
                password: Ok(password),
                password2: None,
            };
            print_user(
                &account::register(services, form, &shell)
                    .await
                    .map_err(explain)?,
            )
        }
        UsersCommand::List => {
            let users = account::list(services).await.map_err(explain)?;
            users.iter().try_for_each(|user| {
                let state = if user.disabled_at.is_some() {
                    "disabled"
                } else {
                    "active"
                };
                Ok(writeln!(
                    stdout(),
                    "{}  {:<8}  {:<32}  {}",
                    user.id,
                    state,
                    user.username,
                    user.email
                )?)
            })
        }
        UsersCommand::Show { name } => print_user(&find(services, name).await?),
        UsersCommand::SetPassword { name } => {
            let user = find(services, name).await?;
            account::set_password(services, &user, &read_password()?, &shell)
                .await
                .map_err(explain)?;
            say("The password is set and all sessions have ended.")
        }
        UsersCommand::Disable { name } => {
            let user = find(services, name).await?;
            account::set_disabled(services, &user, true, &shell)
                .await
                .map_err(explain)?;
            say("Disabled; all sessions have ended.")
        }
        UsersCommand::Enable { name } => {
            let user = find(services, name).await?;
            account::set_disabled(services, &user, false, &shell)
                .await
                .map_err(explain)?;
            say("Enabled.")
        }
        UsersCommand::RevokeSessions { name } => {
            let user = find(services, name).await?;
            let ended = account::revoke_sessions(services, &user, &shell)
                .await
                .map_err(explain)?;
            say(&format!("{ended} sessions have ended."))
        }
        UsersCommand::Unlock { name } => {
            let user = find(services, name).await?;
            account::unlock(services, &user, &shell)
                .await
                .map_err(explain)?;
            say("Unlocked: failed logins start from zero.")
        }
        UsersCommand::Delete { name, yes } => {
            let user = find(services, name).await?;
            if !yes {
                confirm_deletion(&user)?;
            }
            account::delete(services, &user).await.map_err(explain)?;
            say(&format!("{} is deleted.", user.username))
        }
    }
}

async fn find(services: &Services, name: &str) -> anyhow::Result<User> {
    let account = account::find(services, name, &shell())
        .await
        .map_err(explain)?;
    account
        .map(|account| account.user)
        .with_context(|| format!("no user {name}"))
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

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(stdout(), "{text}")?)
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
