//! The account that PostgreSQL runs as.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use super::error::LocalError;
use super::own;
use super::programs::system_program;

/// The account that PostgreSQL runs as when Latchkey runs as root, which PostgreSQL refuses.
#[derive(Clone, Copy)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// `None` for an ordinary user, who runs PostgreSQL under their own account.
    pub fn for_postgres() -> Result<Option<Self>, LocalError> {
        if own::us() != 0 {
            return Ok(None);
        }
        let account = ["postgres", "nobody"].into_iter().find_map(|name| {
            Some(Self {
                uid: id(&["-u", name])?,
                gid: id(&["-g", name])?,
            })
        });
        account.map(Some).ok_or_else(|| {
            LocalError::failed(
                "PostgreSQL refuses to run as root, and this machine has no account named postgres or nobody",
            )
        })
    }

    pub fn can_enter(self, directory: &Path) -> bool {
        let mut command = system_program("sh");
        command
            .args(["-c", r#"cd "$1""#, "sh"])
            .arg(directory)
            .current_dir("/")
            .stderr(Stdio::null());
        command
            .uid(self.uid)
            .gid(self.gid)
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Gives a directory that we created to this account.
    pub fn take_over(self, folder: &Path) -> Result<(), LocalError> {
        let found = fs::symlink_metadata(folder).map_err(LocalError::failed)?;
        if found.is_dir() && found.uid() == own::us() {
            lchown(folder, Some(self.uid), Some(self.gid)).map_err(LocalError::failed)?;
        }
        Ok(())
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let done = system_program("id")
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(done.stdout).ok()?.trim().parse().ok()
}
