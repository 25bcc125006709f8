//! `latchkey users`: what operators do to users from a shell.

use std::io::{Write, stdout};

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{database, log, prompt};
use crate::app;
use crate::auth::error::AuthError;
use crate::auth::services::{Policy, Services};
use crate::auth::{account, admin, upkeep};
use crate::config::{DatabaseSettings, LogSettings, PasswordSettings};
use crate::domain::client::Client;
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
    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Subcommand)]
enum UsersCommand {
    /// Register a user; asks for the password, or reads it from standard input
    Add { username: String, email: String },
    /// List all users
    List,
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
    /// Delete a user and all their data; asks first
    Delete {
        #[command(flatten)]
        name: Name,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
struct Name {
    /// Username or e-mail address
    name: String,
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
        database.connector.clone(),
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let done = execute(&services, &args.command).await;
        upkeep::finish(&services).await?;
        let done = done?;
        if args.json {
            writeln!(stdout(), "{}", done.json)?;
        } else if !done.text.is_empty() {
            writeln!(stdout(), "{}", done.text)?;
        }
        Ok(())
    })
}

/// What to print, for people or for programs.
struct Done {
    text: String,
    json: Value,
}

impl Done {
    /// What has become of a user.
    fn to(user: &User, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            json: json!({"id": user.id, "username": user.username}),
        }
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.json[key] = value.into();
        self
    }
}

async fn execute(services: &Services, command: &UsersCommand) -> anyhow::Result<Done> {
    let shell = &shell();
    let done = match command {
        UsersCommand::Add { username, email } => return add(services, username, email).await,
        UsersCommand::List => return list(services).await,
        UsersCommand::Show(name) => return Ok(shown(&find(services, name).await?)),
        UsersCommand::SetPassword(name) => {
            let user = find(services, name).await?;
            let password = prompt::password()?;
            admin::set_password(services, &user, &password, shell)
                .await
                .map(|()| Done::to(&user, "The password is set, and all sessions have ended."))
        }
        UsersCommand::Disable(name) => {
            let user = find(services, name).await?;
            admin::set_disabled(services, &user, true, shell)
                .await
                .map(|()| Done::to(&user, "Disabled. All sessions have ended."))
        }
        UsersCommand::Enable(name) => {
            let user = find(services, name).await?;
            admin::set_disabled(services, &user, false, shell)
                .await
                .map(|()| Done::to(&user, "Enabled."))
        }
        UsersCommand::RevokeSessions(name) => {
            let user = find(services, name).await?;
            admin::revoke_sessions(services, &user, shell)
                .await
                .map(|ended| {
                    let text = format!("Sessions ended: {ended}.");
                    Done::to(&user, text).with("sessions_ended", ended)
                })
        }
        UsersCommand::Unlock(name) => {
            let user = find(services, name).await?;
            admin::unlock(services, &user, shell)
                .await
                .map(|()| Done::to(&user, "Unlocked. Failed logins count from zero again."))
        }
        UsersCommand::Delete { name, yes } => return delete(services, name, *yes).await,
    };
    done.map_err(explain)
}

async fn find(services: &Services, Name { name }: &Name) -> anyhow::Result<User> {
    let found = admin::find(services, name, &shell()).await;
    let account = found.map_err(explain)?;
    Ok(account.with_context(|| format!("no user {name}"))?.user)
}

async fn add(services: &Services, username: &str, email: &str) -> anyhow::Result<Done> {
    let form = account::Registration::of(username, email, prompt::password()?);
    let user = account::register(services, form, &shell()).await;
    Ok(shown(&user.map_err(explain)?))
}

async fn delete(services: &Services, name: &Name, yes: bool) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let (username, email) = (&user.username, &user.email);
    if !yes {
        let question = format!("Delete {username} ({email}) with all sessions and events?");
        prompt::confirm(&question)?;
    }
    let deleted = admin::delete(services, &user).await;
    deleted.map_err(explain)?;
    Ok(Done::to(&user, format!("{username} is deleted.")))
}

/// One line per user.
async fn list(services: &Services) -> anyhow::Result<Done> {
    let users = admin::list(services).await.map_err(explain)?;
    let lines = users.iter().map(|user| {
        let disabled = user.disabled_at.is_some();
        let state = if disabled { "disabled" } else { "active" };
        let (id, name, email) = (user.id, &user.username, &user.email);
        format!("{id}  {state:<8}  {name:<32}  {email}")
    });
    Ok(Done {
        text: lines.collect::<Vec<_>>().join("\n"),
        json: users.iter().map(fields).collect(),
    })
}

fn shown(user: &User) -> Done {
    Done {
        text: describe(user),
        json: fields(user),
    }
}

/// Everything about a user but the hash.
fn fields(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "email_verified_at": user.email_verified_at,
        "created_at": user.created_at,
        "last_login_at": user.last_login_at,
        "disabled_at": user.disabled_at,
    })
}

fn describe(user: &User) -> String {
    let shown =
        |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
    [
        format!("id          {}", user.id),
        format!("username    {}", user.username),
        format!("email       {}", user.email),
        format!("verified    {}", shown(user.email_verified_at)),
        format!("created     {}", user.created_at.to_rfc3339()),
        format!("last login  {}", shown(user.last_login_at)),
        format!("disabled    {}", shown(user.disabled_at)),
    ]
    .join("\n")
}

/// The client that appears in the events.
fn shell() -> Client {
    Client::at_shell("latchkey users")
}

/// Prints each field error on its own line. Other errors explain themselves.
fn explain(error: AuthError) -> anyhow::Error {
    match error {
        AuthError::Invalid(errors) => anyhow!("not accepted:\n{errors}"),
        other => other.into(),
    }
}
