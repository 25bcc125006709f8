//! `latchkey users`: what operators do to users from a shell.

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};

use super::done::Done;
use super::{database, log, prompt};
use crate::app;
use crate::auth::error::AuthError;
use crate::auth::metrics::Metrics;
use crate::auth::services::{Policy, Services};
use crate::auth::{account, deletion, operator, roles, upkeep};
use crate::config::{DatabaseSettings, LogSettings, PasswordSettings};
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::role::Role;
use crate::domain::username::Username;
use crate::store::db::migrations;
use crate::store::users::User;
use shown::{address, done_to, listed, shown};

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
        Metrics::default(),
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let done = execute(&services, &args.command).await;
        upkeep::finish(&services).await?;
        let done = done?;
        done.print(args.json)
    })
}

async fn execute(services: &Services, command: &UsersCommand) -> anyhow::Result<Done> {
    let shell = &shell();
    let done = match command {
        UsersCommand::Add { username, email } => return add(services, username, email).await,
        UsersCommand::Invite { username, email } => return invite(services, username, email).await,
        UsersCommand::List => return list(services).await,
        UsersCommand::Show(name) => return Ok(shown(&find(services, name).await?)),
        UsersCommand::SetPassword(name) => {
            let user = find(services, name).await?;
            let password = prompt::password()?;
            operator::set_password(services, &user, &password, shell)
                .await
                .map(|()| done_to(&user, "The password is set, and all sessions have ended."))
        }
        UsersCommand::Disable(name) => return set_disabled(services, name, true).await,
        UsersCommand::Enable(name) => return set_disabled(services, name, false).await,
        UsersCommand::RevokeSessions(name) => {
            let user = find(services, name).await?;
            operator::revoke_sessions(services, &user, shell)
                .await
                .map(|ended| {
                    let text = format!("Sessions ended: {ended}.");
                    done_to(&user, text).with("sessions_ended", ended)
                })
        }
        UsersCommand::Unlock(name) => {
            let user = find(services, name).await?;
            operator::unlock(services, &user, shell)
                .await
                .map(|()| done_to(&user, "Unlocked. Failed logins count from zero again."))
        }
        UsersCommand::Grant { name, role } => return change_role(services, name, role, true).await,
        UsersCommand::Revoke { name, role } => {
            return change_role(services, name, role, false).await;
        }
        UsersCommand::Delete { name, yes } => return delete(services, name, *yes).await,
    };
    done.map_err(explain)
}

async fn list(services: &Services) -> anyhow::Result<Done> {
    let users = operator::list(services).await;
    Ok(listed(&users.map_err(explain)?))
}

async fn find(services: &Services, Name { name }: &Name) -> anyhow::Result<User> {
    let found = operator::find(services, name, &shell()).await;
    let account = found.map_err(explain)?;
    Ok(account.with_context(|| format!("no user {name}"))?.user)
}

async fn add(services: &Services, username: &str, email: &str) -> anyhow::Result<Done> {
    let form = account::Registration::of(username, email, prompt::password()?);
    let user = account::register(services, form, &shell()).await;
    Ok(shown(&user.map_err(explain)?))
}

async fn set_disabled(services: &Services, name: &Name, disabled: bool) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let done = operator::set_disabled(services, &user, disabled, &shell()).await;
    done.map_err(explain)?;
    let text = match disabled {
        true => "Disabled. All sessions have ended.",
        false => "Enabled.",
    };
    Ok(done_to(&user, text))
}

async fn change_role(
    services: &Services,
    name: &Name,
    role: &str,
    granted: bool,
) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let role = Role::to_grant(role).map_err(|error| anyhow!("role: {}", error.message))?;
    let changed = match granted {
        true => roles::grant(services, &user, &role, &shell()).await,
        false => roles::revoke(services, &user, &role, &shell()).await,
    };
    let changed = changed.map_err(explain)?;
    let text = match (granted, changed) {
        (true, true) => format!("{} has the role {role} now.", user.username),
        (true, false) => format!("{} had the role {role} already.", user.username),
        (false, true) => format!("{} has the role {role} no longer.", user.username),
        (false, false) => format!("{} did not have the role {role}.", user.username),
    };
    Ok(done_to(&user, text)
        .with("role", role.to_string())
        .with("changed", changed))
}

async fn invite(services: &Services, username: &str, email: &str) -> anyhow::Result<Done> {
    let mut errors = FieldErrors::default();
    let username = errors.take("username", Username::parse(username));
    let email = errors.take("email", Email::parse(email));
    let (Some(username), Some(email)) = (username, email) else {
        return Err(explain(errors.into()));
    };
    let user = operator::invite(services, &username, &email, &shell()).await;
    let user = user.map_err(explain)?;
    let text = format!(
        "Invited {}. The server mails the link, which works for 72 hours.",
        user.username
    );
    Ok(done_to(&user, text))
}

async fn delete(services: &Services, name: &Name, yes: bool) -> anyhow::Result<Done> {
    let user = find(services, name).await?;
    let (username, email) = (&user.username, address(&user));
    if !yes {
        let question = format!("Delete {username} ({email}) with all sessions and events?");
        prompt::confirm(&question)?;
    }
    let deleted = deletion::delete(services, user.id).await;
    deleted.map_err(explain)?;
    Ok(done_to(&user, format!("{username} is deleted.")))
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
