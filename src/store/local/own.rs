//! Checks a file or directory before use: its owner, who else may use it, and that it is not a symbolic link.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::error::LocalError;

/// The widest mode for a file: only the owner may read or write it.
const PRIVATE: u32 = 0o600;

/// The account that we run as.
pub fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Accepts a directory that belongs to one of `owners` and is at most as open as `mode`.
pub fn folder(path: &Path, owners: &[u32], mode: u32) -> Result<(), LocalError> {
    let found = fs::symlink_metadata(path).map_err(|e| LocalError::at(path, &e))?;
    no_link(path, &found)?;
    if !found.is_dir() {
        return Err(LocalError::not_ours(
            path,
            "is not a directory: move it away",
        ));
    }
    owned(path, &found, owners)?;
    no_wider(path, &found, mode)
}

/// What to do with a file that is open to others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wide {
    Refused,
    /// Older releases created the file that way, and it holds no secret.
    Tightened,
}

/// Opens a file of ours with `options`, which may create it, with access for us alone. True if others had access.
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
        .map_err(|e| LocalError::at(path, &e))?;
    let found = file.metadata().map_err(|e| LocalError::at(path, &e))?;
    if !found.is_file() {
        return Err(LocalError::not_ours(path, "is not a file: move it away"));
    }
    owned(path, &found, &[us()])?;
    let was_wide = found.mode() & 0o777 & !PRIVATE != 0;
    if was_wide && wide == Wide::Tightened {
        file.set_permissions(fs::Permissions::from_mode(PRIVATE))
            .map_err(|e| LocalError::at(path, &e))?;
    } else {
        no_wider(path, &found, PRIVATE)?;
    }
    Ok((file, was_wide))
}

/// The text of a private file, or `None` if there is no such file.
pub fn read(path: &Path) -> Result<Option<String>, LocalError> {
    if fs::symlink_metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let (mut file, _) = file(path, OpenOptions::new().read(true), Wide::Refused)?;
    let mut text = String::new();
    file.read_to_string(&mut text)
        .map_err(|e| LocalError::at(path, &e))?;
    Ok(Some(text.trim().to_owned()))
}

/// Writes a new file and renames it over the old one, so that a crash never leaves half a file.
pub fn write(path: &Path, text: &str) -> Result<(), LocalError> {
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut options = OpenOptions::new();
    let (mut out, _) = file(&fresh, options.write(true).create_new(true), Wide::Refused)?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.sync_all())
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|e| LocalError::at(path, &e))
}

/// Whether nobody else can move the contents of a directory: neither in it, nor in any directory above it or above the
/// target of a link on the way.
pub fn keep_what_is_ours(folder: &Path) -> bool {
    let real = folder.canonicalize();
    folder.ancestors().all(keeps_what_is_ours)
        && real.is_ok_and(|real| real.ancestors().all(keeps_what_is_ours))
}

/// Whether a directory belongs to root or us, and nobody else can move our files in it: others cannot write to it, or
/// it has the sticky bit.
pub fn keeps_what_is_ours(base: &Path) -> bool {
    fs::metadata(base).is_ok_and(|found| {
        let owner_is_trusted = found.uid() == 0 || found.uid() == us();
        let alone = found.mode() & 0o022 == 0;
        found.is_dir() && owner_is_trusted && (alone || found.mode() & 0o1000 != 0)
    })
}

fn no_link(path: &Path, found: &Metadata) -> Result<(), LocalError> {
    if found.is_symlink() {
        return Err(LocalError::not_ours(
            path,
            "is a symbolic link, and Latchkey follows none here: move it away, or set LATCHKEY_DATA_DIR to a real directory",
        ));
    }
    Ok(())
}

fn owned(path: &Path, found: &Metadata, owners: &[u32]) -> Result<(), LocalError> {
    if owners.contains(&found.uid()) {
        return Ok(());
    }
    let (owner, expected) = (found.uid(), owners.first().copied().unwrap_or_default());
    let why = format!(
        "belongs to account {owner}, not to {expected}: if it is yours, run chown {expected} {}; if not, set \
         LATCHKEY_DATA_DIR to another directory",
        path.display()
    );
    Err(LocalError::not_ours(path, why))
}

fn no_wider(path: &Path, found: &Metadata, mode: u32) -> Result<(), LocalError> {
    let actual = found.mode() & 0o777;
    if actual & !mode == 0 {
        return Ok(());
    }
    let why = format!(
        "is open to other accounts (mode {actual:03o}): run chmod {mode:o} {}",
        path.display()
    );
    Err(LocalError::not_ours(path, why))
}
