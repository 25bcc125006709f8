//! The private PostgreSQL that Latchkey starts when no `DATABASE_URL` is given.
//!
//! It lives under the data directory, listens on a unix socket only, is durable (fsync on), and ends with Latchkey:
//! a small shell between the two holds a pipe from us and stops the server when that pipe closes, also when we are
//! killed with -9. That needs neither `unsafe` nor Linux.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use self::programs::Programs;
use super::db::connection::Connector;

mod account;
pub mod own;
mod place;
mod processes;
pub mod programs;
mod sockets;

use place::Place;

/// Why the local PostgreSQL could not be had; each text says what to do.
#[derive(Debug)]
pub enum LocalError {
    NoPrograms,
    OtherVersion {
        data: PathBuf,
        major: u32,
    },
    InUse {
        directory: PathBuf,
        pid: String,
    },
    /// Another account could read or change what must be ours.
    NotOurs(String),
    Failed(String),
}

impl std::fmt::Display for LocalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoPrograms => f.write_str(
                "PostgreSQL's programs (postgres, initdb) were not found on this machine. Install them:\n  \
                 Debian, Ubuntu: apt-get install postgresql\n  \
                 Fedora:         dnf install postgresql-server\n  \
                 macOS:          brew install postgresql@17\n\
                 or set DATABASE_URL=postgres://user:password@host/database to use a server you have.",
            ),
            Self::OtherVersion { data, major } => write!(
                f,
                "{} was made by PostgreSQL {major}, whose programs are not on this machine. Install version {major}, \
                 or set LATCHKEY_DATA_DIR to start with a new database.",
                data.display()
            ),
            Self::InUse { directory, pid } => write!(
                f,
                "another Latchkey (process {pid}) is using {}. Stop it first, or set LATCHKEY_DATA_DIR and \
                 LATCHKEY_LISTEN to run a second one beside it.",
                directory.display()
            ),
            Self::NotOurs(why) => f.write_str(why),
            Self::Failed(why) => write!(f, "the local PostgreSQL could not be started: {why}"),
        }
    }
}

impl std::error::Error for LocalError {}

/// A running local server; it stops when this is dropped.
pub struct LocalPostgres {
    place: Place,
    connector: Connector,
    /// Held as long as we run; `None` when another process runs the server and we only visit.
    owned: Option<Owned>,
}

struct Owned {
    stop: mpsc::Sender<()>,
    keeper: Option<JoinHandle<()>>,
    _lock: File,
}

impl LocalPostgres {
    /// Starts the server of `data_dir`, making it first if it is not there.
    pub fn start(data_dir: &Path) -> Result<Self, LocalError> {
        let mut place = Place::prepare(data_dir)?;
        let lock = place.lock()?;
        place.sockets = sockets::prepare(&place)?;
        let major = place.major()?;
        let programs = Programs::find(major).ok_or_else(|| match major {
            Some(major) => LocalError::OtherVersion {
                data: place.data(),
                major,
            },
            None => LocalError::NoPrograms,
        })?;
        if major.is_none() {
            place.create_cluster(&programs)?;
        }
        place.end_leftover();
        let mut child = place.spawn(&programs)?;
        place.wait_until_ready(&mut child)?;
        let (stop, stopped) = mpsc::channel();
        let watched = place.clone();
        let keeper = thread::Builder::new()
            .name("postgres-keeper".to_owned())
            .spawn(move || watched.keep_running(child, &programs, &stopped))
            .map_err(failed)?;
        Self::at(
            place,
            Some(Owned {
                stop,
                keeper: Some(keeper),
                _lock: lock,
            }),
        )
    }

    /// For a short command: visits the server that a running Latchkey keeps, else starts it for the while.
    pub fn visit_or_start(data_dir: &Path) -> Result<Self, LocalError> {
        match Self::start(data_dir) {
            Err(LocalError::InUse { .. }) => {
                let mut place = Place::prepare(data_dir)?;
                place.sockets = sockets::find(&place)?;
                Self::at(place, None)
            }
            other => other,
        }
    }

    fn at(place: Place, owned: Option<Owned>) -> Result<Self, LocalError> {
        let connector = Connector::unix_socket(&place.sockets, "latchkey", "postgres")
            .map_err(|error| LocalError::Failed(error.to_string()))?;
        Ok(Self {
            place,
            connector,
            owned,
        })
    }

    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Where the data is: `data_dir`, or its replacement when root's files cannot be reached by `postgres`.
    pub fn directory(&self) -> &Path {
        &self.place.root
    }

    pub fn is_where_asked(&self, data_dir: &Path) -> bool {
        std::path::absolute(data_dir).is_ok_and(|asked| asked == self.place.root)
    }

    /// A command line that opens this database.
    pub fn psql(&self) -> String {
        format!(
            "psql -h {} -U latchkey postgres",
            self.place.sockets.display()
        )
    }
}

impl Drop for LocalPostgres {
    fn drop(&mut self) {
        if let Some(owned) = &mut self.owned {
            let _ = owned.stop.send(());
            if let Some(keeper) = owned.keeper.take() {
                let _ = keeper.join();
            }
        }
    }
}

fn failed(error: std::io::Error) -> LocalError {
    LocalError::Failed(error.to_string())
}
