//! The folder of the unix socket: beside the data, or at a short path that nobody could take before us.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};

use super::own;
use super::place::Place;
use super::{LocalError, failed};

/// Socket paths longer than this do not fit into `sockaddr_un` everywhere.
const PATH_MAX: usize = 100;
pub const FILE: &str = ".s.PGSQL.5432";

/// The folder of a server that runs.
pub fn find(place: &Place) -> Result<PathBuf, LocalError> {
    let beside = beside_the_data(place);
    let folder = if fits(&beside) {
        Some(beside)
    } else {
        own::read(&record(place))?.map(PathBuf::from)
    };
    let folder = folder.ok_or_else(|| {
        LocalError::Failed("it is just starting; try again in a moment".to_owned())
    })?;
    own::folder(&folder, &[place.server_uid()], 0o700)?;
    Ok(folder)
}

/// The folder for a server that is to start; only whoever holds the lock may ask.
pub fn prepare(place: &Place) -> Result<PathBuf, LocalError> {
    let beside = beside_the_data(place);
    if fits(&beside) {
        if fs::symlink_metadata(&beside).is_err() {
            place.make_folder_as_server(&beside)?;
        }
        own::folder(&beside, &[place.server_uid()], 0o700)?;
        return Ok(beside);
    }
    if let Some(recorded) = own::read(&record(place))?.map(PathBuf::from)
        && own::folder(&recorded, &[place.server_uid()], 0o700).is_ok()
    {
        return Ok(recorded);
    }
    let fresh = make_elsewhere(place)?;
    own::write(&record(place), &fresh.to_string_lossy())?;
    Ok(fresh)
}

fn beside_the_data(place: &Place) -> PathBuf {
    place.root.join("postgres/run")
}

fn record(place: &Place) -> PathBuf {
    place.root.join("sockets")
}

fn fits(folder: &Path) -> bool {
    folder.join(FILE).as_os_str().len() <= PATH_MAX
}

/// Under a name that cannot be guessed, and that must be free.
fn make_elsewhere(place: &Place) -> Result<PathBuf, LocalError> {
    let uid = own::us();
    let run = if uid == 0 {
        PathBuf::from("/run")
    } else {
        PathBuf::from(format!("/run/user/{uid}"))
    };
    let bases = [run, PathBuf::from("/tmp")];
    for base in bases.iter().filter(|base| keeps_what_is_ours(base)) {
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(|e| LocalError::Failed(e.to_string()))?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = base.join(format!("latchkey-{name}"));
        if DirBuilder::new().mode(0o700).create(&folder).is_ok() {
            hand_over(&folder, place)?;
            return Ok(folder);
        }
    }
    let told = "no folder for its socket could be made in /run or /tmp: set LATCHKEY_DATA_DIR to a shorter path";
    Err(LocalError::Failed(told.to_owned()))
}

/// That nobody else can move what is in a folder, or one of those above it, nor where a link leads on the way.
pub fn keep_what_is_ours(folder: &Path) -> bool {
    let real = folder.canonicalize();
    folder.ancestors().all(keeps_what_is_ours)
        && real.is_ok_and(|real| real.ancestors().all(keeps_what_is_ours))
}

/// A folder of root's or ours in which nobody else can move what is ours: not theirs to write, or with the sticky bit.
fn keeps_what_is_ours(base: &Path) -> bool {
    fs::metadata(base).is_ok_and(|found| {
        let owner_is_trusted = found.uid() == 0 || found.uid() == own::us();
        let alone = found.mode() & 0o022 == 0;
        found.is_dir() && owner_is_trusted && (alone || found.mode() & 0o1000 != 0)
    })
}

/// Gives a folder that we made to PostgreSQL's account.
pub fn hand_over(folder: &Path, place: &Place) -> Result<(), LocalError> {
    let Some(account) = place.account else {
        return Ok(());
    };
    let found = fs::symlink_metadata(folder).map_err(failed)?;
    if found.is_dir() && found.uid() == own::us() {
        lchown(folder, Some(account.uid), Some(account.gid)).map_err(failed)?;
    }
    Ok(())
}
