//! Settings for the database.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::values::read_file;

#[derive(Args, Clone)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// PostgreSQL server to use: postgres://user:password@host/database, or host:port,host:port for several, of which
    /// Latchkey uses one that accepts writes. sslmode works as in libpq and is prefer by default. Over a network, use
    /// ?sslmode=verify-full, with &sslrootcert=FILE if you have your own CA.
    /// Without it, Latchkey runs a private PostgreSQL in the data directory.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        conflicts_with = "database_url_file"
    )]
    database_url: Option<String>,

    /// File that holds the URL, so that its password is not in the environment.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE")]
    database_url_file: Option<PathBuf>,

    /// Directory of the private PostgreSQL, the generated secret key, and the mails of development.
    #[arg(
        long,
        env = "LATCHKEY_DATA_DIR",
        default_value = ".latchkey",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,

    /// Whether Latchkey may install PostgreSQL's programs with the package manager of this machine if they are missing:
    /// on installs them, ask asks first if there is a terminal, and off only says how.
    #[arg(
        long,
        env = "LATCHKEY_INSTALL_POSTGRES",
        default_value = "ask",
        value_name = "on|off|ask"
    )]
    pub install_postgres: InstallPostgres,

    /// Database connections for writing; those that are idle are closed. Each worker has one more for reading, and one
    /// more listens for changes.
    #[arg(long, env = "LATCHKEY_DB_POOL", default_value = "10", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub db_pool: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InstallPostgres {
    On,
    Off,
    Ask,
}

impl DatabaseSettings {
    /// The URL of the server to use. `None` means the private PostgreSQL.
    pub fn url(&self) -> anyhow::Result<Option<String>> {
        match &self.database_url_file {
            Some(file) => read_file("DATABASE_URL_FILE", file).map(Some),
            None => Ok(self.database_url.clone()),
        }
    }

    pub fn file(&self) -> Option<&Path> {
        self.database_url_file.as_deref()
    }

    /// Whether Latchkey runs a PostgreSQL of its own.
    pub fn is_private(&self) -> bool {
        self.database_url.is_none() && self.database_url_file.is_none()
    }
}
