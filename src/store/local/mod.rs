//! The private PostgreSQL that Latchkey starts when no `DATABASE_URL` is given.
//!
//! It lives in the data directory, listens only on a unix socket, is durable (fsync on), and ends with Latchkey. A
//! small shell in between reads a pipe from us and stops the server when the pipe closes, even after a kill -9. This
//! requires neither `unsafe` nor Linux.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use self::error::LocalError;
use self::place::Place;
use self::programs::Programs;
use super::db::connection::Connector;

mod account;
pub mod error;
pub mod install;
pub mod own;
mod place;
mod processes;
pub mod programs;
mod sockets;

/// A running local server. It stops when this is dropped.
pub struct LocalPostgres {
    place: Place,
    connector: Connector,
    /// `None` if another process runs the server and we only use it.
    owned: Option<Owned>,
}

struct Owned {
    stop: mpsc::Sender<()>,
    keeper: Option<JoinHandle<()>>,
    _lock: File,
}

impl LocalPostgres {
    /// Starts the server in `data_dir`, and creates the cluster first if there is none.
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
            None => {
                place.leave_to_another_account();
                LocalError::NoPrograms
            }
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
            .map_err(LocalError::failed)?;
        Self::at(
            place,
            Some(Owned {
                stop,
                keeper: Some(keeper),
                _lock: lock,
            }),
        )
    }

    /// For short commands: uses the server of a running Latchkey, or starts one that runs until this is dropped.
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
            .map_err(LocalError::failed)?;
        Ok(Self {
            place,
            connector,
            owned,
        })
    }

    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// The data directory: `data_dir`, or the one used instead if PostgreSQL's account cannot reach that.
    pub fn directory(&self) -> &Path {
        &self.place.root
    }

    pub fn is_where_asked(&self, data_dir: &Path) -> bool {
        std::path::absolute(data_dir).is_ok_and(|asked| asked == self.place.root)
    }

    /// A command line that opens this database in psql.
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
