//! Opens the database from the settings, or starts the local one.

use std::path::{Path, PathBuf};

use crate::config::DatabaseSettings;
use crate::store::db::connection::Connector;
use crate::store::local::LocalPostgres;

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
    match &settings.database_url {
        Some(url) => remote(url, &settings.data_dir),
        None => Ok(local(LocalPostgres::start(&settings.data_dir)?)),
    }
}

/// For short commands, which also work next to a running server.
pub fn visit(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    match &settings.database_url {
        Some(url) => remote(url, &settings.data_dir),
        None => Ok(local(LocalPostgres::visit_or_start(&settings.data_dir)?)),
    }
}

fn remote(url: &str, data_dir: &Path) -> anyhow::Result<Database> {
    Ok(Database {
        connector: Connector::from_url(url)?,
        local: None,
        mail_folder: data_dir.join(MAIL),
    })
}

fn local(server: LocalPostgres) -> Database {
    Database {
        connector: server.connector(),
        mail_folder: server.directory().join(MAIL),
        local: Some(server),
    }
}
