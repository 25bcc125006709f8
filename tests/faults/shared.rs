//! A database server that several instances share.

use std::process::Command;

use latchkey::store::local::LocalPostgres;

use crate::process::{Process, TempDir};
use crate::server::{psql, sockets, unlimited};

const SECRET_KEY: &str = "only-for-faults-0123456789abcdef";

pub struct Shared {
    pub place: TempDir,
    data: TempDir,
    _postgresql: LocalPostgres,
}

impl Shared {
    pub async fn start() -> Self {
        let place = TempDir::new();
        let directory = place.0.clone();
        let postgresql =
            tokio::task::spawn_blocking(move || LocalPostgres::start(&directory).unwrap());
        Self {
            _postgresql: postgresql.await.unwrap(),
            place,
            data: TempDir::new(),
        }
    }

    pub async fn sql(&self, sql: &str) {
        let client = psql(&sockets(&self.place.0)).await.unwrap();
        client.batch_execute(sql).await.unwrap();
    }

    pub fn url(&self, database: &str) -> String {
        let host = sockets(&self.place.0);
        format!(
            "postgres://latchkey@localhost/{database}?host={}",
            host.display()
        )
    }

    /// How to start an instance on the database at this URL.
    pub fn command(&self, url: &str) -> Command {
        let mut command = unlimited(&self.data.0);
        command
            .env("DATABASE_URL", url)
            .env("LATCHKEY_SECRET_KEY", SECRET_KEY);
        command
    }

    /// Starts an instance, concurrently with others.
    pub fn instance(&self, url: &str) -> tokio::task::JoinHandle<Process> {
        let mut command = self.command(url);
        tokio::task::spawn_blocking(move || Process::spawn(&mut command))
    }
}
