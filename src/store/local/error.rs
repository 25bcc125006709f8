//! Why the local PostgreSQL cannot be used.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Why the local PostgreSQL cannot be used. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error(
        "PostgreSQL's programs (postgres, initdb) are not installed on this machine. Install them:\n  \
         Debian, Ubuntu: apt-get install postgresql\n  \
         Fedora:         dnf install postgresql-server\n  \
         Alpine:         apk add postgresql\n  \
         macOS:          brew install postgresql@17\n\
         or set DATABASE_URL=postgres://user:password@host/database to use an existing server."
    )]
    NoPrograms,
    #[error(
        "installing PostgreSQL's programs failed ({why}):\n  {command}\nThe package manager said:\n  {said}"
    )]
    NotInstalled {
        command: String,
        why: String,
        said: String,
    },
    #[error(
        "{} was created by PostgreSQL {major}, whose programs are not installed on this machine. Install version {major}, \
         or set LATCHKEY_DATA_DIR to start with a new database.",
        data.display()
    )]
    OtherVersion { data: PathBuf, major: u32 },
    #[error(
        "another Latchkey (process {pid}) is using {}. Stop it first, or set LATCHKEY_DATA_DIR and LATCHKEY_LISTEN to run \
         a second one.",
        directory.display()
    )]
    InUse { directory: PathBuf, pid: String },
    /// Another account could read or change what must be private.
    #[error("{} {why}", path.display())]
    NotOurs { path: PathBuf, why: String },
    #[error("cannot start the local PostgreSQL: {0}")]
    Failed(String),
}

impl LocalError {
    pub fn failed(why: impl Display) -> Self {
        Self::Failed(why.to_string())
    }

    /// A file could not be read or changed.
    pub fn at(path: &Path, error: &std::io::Error) -> Self {
        Self::Failed(format!("{}: {error}", path.display()))
    }

    pub fn not_ours(path: &Path, why: impl Into<String>) -> Self {
        Self::NotOurs {
            path: path.to_owned(),
            why: why.into(),
        }
    }
}
