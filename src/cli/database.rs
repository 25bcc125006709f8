//! Opens the database from the settings, or starts the local one.

use std::path::{Path, PathBuf};

use super::programs;
use crate::config::DatabaseSettings;
use crate::store::db::connection::Connector;
use crate::store::local::LocalPostgres;
use crate::store::local::error::LocalError;

const MAIL: &str = "mail";

/// A database, and the local server, which must live as long as the database is used.
pub struct Database {
    pub connector: Connector,
    pub local: Option<LocalPostgres>,
    /// Where mails are kept if there is no mail server.
    pub mail_folder: PathBuf,
}

/// For the server, which owns the local PostgreSQL exclusively.
pub fn open(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    match settings.url()? {
        Some(url) => remote(&url, &settings.data_dir),
        None => start(settings, LocalPostgres::start),
    }
}

/// For short commands, which also work next to a running server.
pub fn visit(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    match settings.url()? {
        Some(url) => remote(&url, &settings.data_dir),
        None => start(settings, LocalPostgres::visit_or_start),
    }
}

fn remote(url: &str, data_dir: &Path) -> anyhow::Result<Database> {
    Ok(Database {
        connector: Connector::from_url(url)?,
        local: None,
        mail_folder: data_dir.join(MAIL),
    })
}

/// Installs PostgreSQL's programs first if they are missing and the settings or the person at the terminal agree.
fn start(
    settings: &DatabaseSettings,
    start: fn(&Path) -> Result<LocalPostgres, LocalError>,
) -> anyhow::Result<Database> {
    let server = match start(&settings.data_dir) {
        Err(LocalError::NoPrograms) => {
            programs::install(settings.install_postgres)?;
            start(&settings.data_dir)?
        }
        started => started?,
    };
    Ok(Database {
        connector: server.connector(),
        mail_folder: server.directory().join(MAIL),
        local: Some(server),
    })
}
