//! Looks at a file or folder before it is used: whose it is, who else may use it, and that no link leads elsewhere.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::LocalError;

/// What files may be at most: nobody else's business.
const PRIVATE: u32 = 0o600;

/// The account that we run as.
pub fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A folder that belongs to one of `owners`, and is open to others as far as `mode` says.
pub fn folder(path: &Path, owners: &[u32], mode: u32) -> Result<(), LocalError> {
    let found = fs::symlink_metadata(path).map_err(|e| cannot(path, &e))?;
    no_link(path, &found)?;
    if !found.is_dir() {
        return Err(refused(path, "is no folder: move it away"));
    }
    owned(path, &found, owners)?;
    no_wider(path, &found, mode)
}

/// What to do with a file that others may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wide {
    Refused,
    /// Older releases made it so, and no secret is in it.
    Tightened,
}

/// Opens a file of ours as `options` say, for us alone should it be made. True if it was open to others.
pub fn file(
    path: &Path,
    options: &mut OpenOptions,
    wide: Wide,
) -> Result<(File, bool), LocalError> {
    if let Ok(found) = fs::symlink_metadata(path) {
        no_link(path, &found)?;
    }
    let file = options
        .mode(PRIVATE)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(|e| cannot(path, &e))?;
    let found = file.metadata().map_err(|e| cannot(path, &e))?;
    if !found.is_file() {
        return Err(refused(path, "is no file: move it away"));
    }
    owned(path, &found, &[us()])?;
    let was_wide = found.mode() & 0o777 & !PRIVATE != 0;
    if was_wide && wide == Wide::Tightened {
        file.set_permissions(fs::Permissions::from_mode(PRIVATE))
            .map_err(|e| cannot(path, &e))?;
    } else {
        no_wider(path, &found, PRIVATE)?;
    }
    Ok((file, was_wide))
}

/// The text of a file that only we can read; `None` if it is not there.
pub fn read(path: &Path) -> Result<Option<String>, LocalError> {
    if fs::symlink_metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let (mut file, _) = file(path, OpenOptions::new().read(true), Wide::Refused)?;
    let mut text = String::new();
    file.read_to_string(&mut text)
        .map_err(|e| cannot(path, &e))?;
    Ok(Some(text.trim().to_owned()))
}

/// Written beside and renamed: a crash leaves no half of it.
pub fn write(path: &Path, text: &str) -> Result<(), LocalError> {
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut options = OpenOptions::new();
    let (mut out, _) = file(&fresh, options.write(true).create_new(true), Wide::Refused)?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.sync_all())
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|e| cannot(path, &e))
}

fn no_link(path: &Path, found: &Metadata) -> Result<(), LocalError> {
    if found.is_symlink() {
        let fix = "is a symbolic link, which is not followed: move it away, or set LATCHKEY_DATA_DIR to a folder itself";
        return Err(refused(path, fix));
    }
    Ok(())
}

fn owned(path: &Path, found: &Metadata, owners: &[u32]) -> Result<(), LocalError> {
    if owners.contains(&found.uid()) {
        return Ok(());
    }
    let (owner, expected) = (found.uid(), owners.first().copied().unwrap_or_default());
    let why = format!(
        "belongs to account {owner}, not to {expected}: if it is yours, chown {expected} {}, else set LATCHKEY_DATA_DIR \
         to another folder",
        path.display()
    );
    Err(refused(path, &why))
}

fn no_wider(path: &Path, found: &Metadata, mode: u32) -> Result<(), LocalError> {
    let actual = found.mode() & 0o777;
    if actual & !mode == 0 {
        return Ok(());
    }
    let why = format!(
        "is open to other accounts (mode {actual:03o}): chmod {mode:o} {}",
        path.display()
    );
    Err(refused(path, &why))
}

pub fn refused(path: &Path, why: &str) -> LocalError {
    LocalError::NotOurs(format!("{} {why}", path.display()))
}

pub fn cannot(path: &Path, error: &std::io::Error) -> LocalError {
    LocalError::Failed(format!("{}: {error}", path.display()))
}
