//! The directory of the unix socket: next to the data, or at a short path that nobody could have claimed before us.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::LocalError;
use super::own;
use super::place::Place;

/// Socket paths longer than this do not fit into `sockaddr_un` everywhere.
const PATH_MAX: usize = 100;
pub const FILE: &str = ".s.PGSQL.5432";

/// The directory of a running server.
pub fn find(place: &Place) -> Result<PathBuf, LocalError> {
    let beside = beside_the_data(place);
    let folder = if fits(&beside) {
        Some(beside)
    } else {
        own::read(&record(place))?.map(PathBuf::from)
    };
    let folder =
        folder.ok_or_else(|| LocalError::failed("it is still starting; try again in a moment"))?;
    own::folder(&folder, &[place.server_uid()], 0o700)?;
    Ok(folder)
}

/// The directory for a server that is about to start. Only the holder of the lock may call this.
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

/// Creates the directory under an unguessable name that must not exist yet.
fn make_elsewhere(place: &Place) -> Result<PathBuf, LocalError> {
    let uid = own::us();
    let run = if uid == 0 {
        PathBuf::from("/run")
    } else {
        PathBuf::from(format!("/run/user/{uid}"))
    };
    let bases = [run, PathBuf::from("/tmp")];
    for base in bases.iter().filter(|base| own::keeps_what_is_ours(base)) {
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(LocalError::failed)?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = base.join(format!("latchkey-{name}"));
        if DirBuilder::new().mode(0o700).create(&folder).is_ok() {
            place.hand_over(&folder)?;
            return Ok(folder);
        }
    }
    Err(LocalError::failed(
        "no directory for its socket could be created in /run or /tmp: set LATCHKEY_DATA_DIR to a shorter path",
    ))
}
