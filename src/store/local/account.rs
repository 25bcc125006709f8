//! The account that PostgreSQL runs as.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use super::programs::system_program;
use super::{LocalError, own};

/// The account that PostgreSQL runs as when we are root, which it refuses to be.
#[derive(Clone, Copy)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// `None` for an ordinary user, who runs PostgreSQL as himself.
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
            LocalError::Failed(
                "PostgreSQL does not run as root, and there is no account postgres or nobody"
                    .to_owned(),
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
}

fn id(arguments: &[&str]) -> Option<u32> {
    let done = system_program("id")
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(done.stdout).ok()?.trim().parse().ok()
}
