//! The command line: serve, migrate, openapi, users, doctor.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::app;
use crate::config::{DatabaseSettings, LogFormat, LogSettings, Settings};
use crate::domain::secret as key;
use crate::store::db::connection::Connector;
use crate::store::db::migrations;
use crate::store::local::{LocalPostgres, own};

mod doctor;
mod users;

/// How long a balancer has to notice that /health/ready says no, before connections are refused.
const DRAIN: Duration = Duration::from_millis(500);
/// RFC 2104 wants HMAC keys at least as long as the hash; 32 characters that are random are enough for 128 bits.
const SECRET_KEY_MIN: usize = 32;

/// The login backend for a single-page app.
#[derive(Parser)]
#[command(name = "latchkey", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (also without naming it)
    Serve(Box<Settings>),
    /// Bring the database's tables up to date
    Migrate(MigrateArgs),
    /// Print the OpenAPI document
    Openapi,
    /// Manage users
    Users(users::UsersArgs),
    /// Try from outside what a page of your app would do, and explain what browsers make of it
    Doctor(Box<doctor::DoctorArgs>),
}

#[derive(Args)]
struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    log: LogSettings,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let done = match Cli::parse_from(with_default_command(std::env::args_os().collect())).command {
        Command::Serve(settings) => serve(&settings),
        Command::Migrate(args) => migrate(&args),
        Command::Openapi => print_openapi(),
        Command::Users(args) => users::run(&args),
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

fn start_log(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log).context("LATCHKEY_LOG")?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // It would tell of a line that cannot be written by eprintln!, which panics for the same reason.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines
            .with_target(false)
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init(),
    }
    Ok(())
}

/// The database to use, and the local server that must live as long as it is used.
fn open(
    database: &DatabaseSettings,
    visit: bool,
) -> anyhow::Result<(Connector, Option<LocalPostgres>)> {
    if let Some(url) = &database.database_url {
        return Ok((Connector::from_url(url)?, None));
    }
    let local = if visit {
        LocalPostgres::visit_or_start(&database.data_dir)
    } else {
        LocalPostgres::start(&database.data_dir)
    };
    let local = local?;
    Ok((local.connector(), Some(local)))
}

#[expect(
    clippy::print_stdout,
    reason = "the greeting is for the person who started it"
)]
fn serve(settings: &Settings) -> anyhow::Result<()> {
    let warnings = settings.check().map_err(anyhow::Error::msg)?;
    start_log(&settings.log)?;
    warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    let hash_memory_mib = settings.passwords.hash_memory() / 1024 / 1024;
    tracing::info!(
        workers = settings.passwords.hash_workers(),
        at_most_mib = hash_memory_mib,
        "hashing passwords"
    );
    let given_key = given_secret_key(settings)?;
    if given_key.is_none() && settings.database.database_url.is_some() {
        bail!(
            "LATCHKEY_SECRET_KEY is not set. With DATABASE_URL every instance needs the same one; make it once:\n  \
             export LATCHKEY_SECRET_KEY=$(openssl rand -hex 32)"
        );
    }
    let (connector, local) = open(&settings.database, false)?;
    let secret_key = match (given_key, &local) {
        (Some(key), _) => key,
        (None, Some(local)) => generated_secret_key(&local.directory().join("secret_key"))?,
        (None, None) => bail!("no secret key"),
    };
    migrations::run(&connector)?;
    actix_web::rt::System::new().block_on(async {
        let instance = app::build(settings, connector, &secret_key)?;
        let base = format!("http://{}", instance.address);
        println!("Latchkey {} is ready.", env!("CARGO_PKG_VERSION"));
        println!("  API         {base}/api");
        println!("  Swagger UI  {base}/swagger-ui/");
        if let Some(local) = &local {
            let directory = local.directory().display();
            println!("  Data        {directory} (look inside: {})", local.psql());
            if !local.is_where_asked(&settings.database.data_dir) {
                let asked = settings.database.data_dir.display();
                println!("              not in {asked}, which PostgreSQL's account cannot reach, or another could replace");
            }
        }
        println!("Stop with Ctrl-C.");
        tracing::info!(address = %instance.address, "listening");
        let (server, health) = (instance.server.handle(), instance.health.clone());
        actix_web::rt::spawn(async move {
            if wait_for_signal().await == SignalKind::terminate() {
                health
                    .draining
                    .store(true, std::sync::atomic::Ordering::Relaxed);
                tokio::time::sleep(DRAIN).await;
            }
            tracing::info!("stopping");
            server.stop(true).await;
        });
        app::run(instance).await
    })
}

/// SIGTERM or SIGINT; a second SIGINT ends the process at once.
async fn wait_for_signal() -> SignalKind {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate(),
        _ = interrupt.recv() => {
            actix_web::rt::spawn(async move {
                interrupt.recv().await;
                std::process::exit(130);
            });
            SignalKind::interrupt()
        }
    }
}

fn migrate(args: &MigrateArgs) -> anyhow::Result<()> {
    start_log(&args.log)?;
    let (connector, _local) = open(&args.database, true)?;
    let ran = migrations::run(&connector)?;
    let mut out = std::io::stdout();
    for name in &ran {
        writeln!(out, "ran {name}")?;
    }
    writeln!(
        out,
        "{}",
        if ran.is_empty() {
            "nothing to do"
        } else {
            "done"
        }
    )?;
    Ok(())
}

fn print_openapi() -> anyhow::Result<()> {
    writeln!(
        std::io::stdout(),
        "{}",
        crate::http::document().to_pretty_json()?
    )?;
    Ok(())
}

/// The key from the settings, if it is good enough to sign with.
fn given_secret_key(settings: &Settings) -> anyhow::Result<Option<String>> {
    let key = match (&settings.secret_key, &settings.secret_key_file) {
        (Some(key), _) => key.clone(),
        (None, Some(file)) => read_key(file)?,
        (None, None) => return Ok(None),
    };
    check_key(&key).map(|()| Some(key))
}

fn read_key(file: &PathBuf) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("LATCHKEY_SECRET_KEY_FILE: {}", file.display()))?;
    Ok(text.trim().to_owned())
}

fn check_key(key: &str) -> anyhow::Result<()> {
    let distinct = key.chars().collect::<std::collections::HashSet<_>>().len();
    if key.len() < SECRET_KEY_MIN || distinct < 8 {
        bail!(
            "LATCHKEY_SECRET_KEY is too weak: at least {SECRET_KEY_MIN} random characters are needed, such as from \
             openssl rand -hex 32"
        );
    }
    Ok(())
}

/// For the local database: made at the first start, readable by its owner only.
fn generated_secret_key(file: &Path) -> anyhow::Result<String> {
    let key = match own::read(file)? {
        Some(key) => key,
        None => {
            let key = key::SessionKey::generate().map_err(|error| anyhow::anyhow!("{error:?}"))?;
            let key = key.into_cookie_value();
            own::write(file, &key)?;
            key
        }
    };
    check_key(&key)
        .with_context(|| format!("{} is damaged; remove it to make a new one", file.display()))?;
    Ok(key)
}
