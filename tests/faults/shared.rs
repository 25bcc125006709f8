//! A database server that several instances share.

use std::process::Command;

use latchkey::store::local::LocalPostgres;

use crate::process::{Process, TempDir};
use crate::server::{on_database, psql, sockets};

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

    /// How many security events of this kind a user has.
    pub async fn events(&self, username: &str, kind: &str) -> usize {
        let client = psql(&sockets(&self.place.0)).await.unwrap();
        let count = "select count(*) from security_events join users on users.id = user_id \
            where username = $1 and kind = $2";
        let row = client.query_one(count, &[&username, &kind]).await.unwrap();
        usize::try_from(row.get::<_, i64>(0)).unwrap()
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
        on_database(&self.data.0, url)
    }

    /// Starts an instance, concurrently with others.
    pub fn instance(&self, url: &str) -> tokio::task::JoinHandle<Process> {
        let mut command = self.command(url);
        tokio::task::spawn_blocking(move || Process::spawn(&mut command))
    }
}
