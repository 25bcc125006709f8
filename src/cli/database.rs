//! Opens the database that the settings name, and starts the local one if they name none.

use crate::config::DatabaseSettings;
use crate::store::db::connection::Connector;
use crate::store::local::LocalPostgres;

/// A database, and the local server that must live as long as it is used.
pub struct Database {
    pub connector: Connector,
    pub local: Option<LocalPostgres>,
}

/// For the server, which keeps the local PostgreSQL to itself.
pub fn open(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    match &settings.database_url {
        Some(url) => remote(url),
        None => Ok(local(LocalPostgres::start(&settings.data_dir)?)),
    }
}

/// For a short command, which also works beside a running server.
pub fn visit(settings: &DatabaseSettings) -> anyhow::Result<Database> {
    match &settings.database_url {
        Some(url) => remote(url),
        None => Ok(local(LocalPostgres::visit_or_start(&settings.data_dir)?)),
    }
}

fn remote(url: &str) -> anyhow::Result<Database> {
    Ok(Database {
        connector: Connector::from_url(url)?,
        local: None,
    })
}

fn local(server: LocalPostgres) -> Database {
    Database {
        connector: server.connector(),
        local: Some(server),
    }
}
