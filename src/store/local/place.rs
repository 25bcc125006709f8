//! The files of one local server.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::Account;
use super::own::{self, Wide};
use super::programs::{Programs, system_program};
use super::{LocalError, failed, sockets};

const MOVABLE: &str = "is below a folder of another account, which could put another in its place: move it, or run \
                       Latchkey as that account, and set LATCHKEY_DATA_DIR";
/// Where the data goes when we are root and the directory asked for cannot be reached by PostgreSQL's account, or could be
/// replaced by another one.
const FOR_ROOT: &str = "/var/lib/latchkey";
/// PostgreSQL's log is put aside when it is larger than this.
const LOG_MAX: u64 = 8 * 1024 * 1024;

/// The files of one local server.
#[derive(Clone)]
pub struct Place {
    pub root: PathBuf,
    /// Empty until [`sockets::prepare`] or [`sockets::find`] said where they are.
    pub sockets: PathBuf,
    pub account: Option<Account>,
}

impl Place {
    /// The data folder is ours, and others may at most look; what is in it, only its owner can make or move.
    pub fn prepare(data_dir: &Path) -> Result<Self, LocalError> {
        let mut root = std::path::absolute(data_dir).map_err(failed)?;
        let account = Account::for_postgres()?;
        let there = root
            .ancestors()
            .find(|path| path.is_dir())
            .unwrap_or(Path::new("/"));
        let safe = sockets::keep_what_is_ours(there.parent().unwrap_or(there));
        if account.is_some_and(|account| !account.can_enter(there) || !safe) {
            if fs::symlink_metadata(root.join("postgres/data")).is_ok() {
                return Err(own::refused(&root, MOVABLE));
            }
            root = PathBuf::from(FOR_ROOT);
        } else if !safe {
            tracing::warn!("{} {MOVABLE}", root.display());
        }
        make_folder(&root, 0o755)?;
        own::folder(&root, &[own::us(), 0], 0o755)?;
        let _ = fs::write(root.join(".gitignore"), "*\n");
        let place = Self {
            root,
            sockets: PathBuf::new(),
            account,
        };
        let postgres = place.root.join("postgres");
        make_folder(&postgres, 0o700)?;
        sockets::hand_over(&postgres, &place)?;
        own::folder(&postgres, &[place.server_uid()], 0o700)?;
        Ok(place)
    }

    /// The account that PostgreSQL runs as.
    pub fn server_uid(&self) -> u32 {
        self.account.map_or_else(own::us, |account| account.uid)
    }

    pub fn data(&self) -> PathBuf {
        self.root.join("postgres/data")
    }

    /// The version that made the data; `None` if there is none yet.
    pub fn major(&self) -> Result<Option<u32>, LocalError> {
        let data = self.data();
        if fs::symlink_metadata(&data).is_err() {
            return Ok(None);
        }
        own::folder(&data, &[self.server_uid()], 0o700)?;
        let version = fs::read_to_string(data.join("PG_VERSION")).ok();
        Ok(version.and_then(|text| text.trim().parse().ok()))
    }

    /// The lock is the kernel's: it ends with the process, however that ends. Only we can open its file, for whoever
    /// can open a file can lock it.
    pub fn lock(&self) -> Result<File, LocalError> {
        let path = self.root.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let (mut file, was_wide) = own::file(&path, &mut options, Wide::Tightened)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(failed)?;
                write!(file, "{}", std::process::id()).map_err(failed)?;
                Ok(file)
            }
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                if was_wide && !is_ours(&pid) {
                    // A stranger holds the file of an older release, which all could open: it may keep that one. If
                    // another start of ours already put a new one there, that stays.
                    let there = fs::symlink_metadata(&path).map_err(failed)?;
                    if there.ino() == file.metadata().map_err(failed)?.ino() {
                        fs::remove_file(&path).map_err(|e| own::cannot(&path, &e))?;
                    }
                    return self.lock();
                }
                Err(LocalError::InUse {
                    directory: self.root.clone(),
                    pid,
                })
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// initdb works beside the final place and is renamed into it, so that a half-made cluster is never used.
    pub fn create_cluster(&self, programs: &Programs) -> Result<(), LocalError> {
        let fresh = self.root.join("postgres/initdb");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(failed)?;
        }
        let mut command = programs.command("initdb");
        command
            .arg("--pgdata")
            .arg(&fresh)
            .args([
                "--username=latchkey",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--data-checksums",
            ])
            .args(["--auth-local=trust", "--auth-host=reject"]);
        let done = self
            .as_account(&mut command)
            .stdin(Stdio::null())
            .output()
            .map_err(failed)?;
        if !done.status.success() {
            let text = String::from_utf8_lossy(&done.stderr).trim().to_owned();
            return Err(LocalError::Failed(format!("initdb: {text}")));
        }
        fs::rename(&fresh, self.data()).map_err(failed)
    }

    /// PostgreSQL appends to it: what it is handed stays right when the file is cut.
    pub fn log(&self) -> Result<File, LocalError> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        own::file(&self.log_path(), &mut options, Wide::Tightened).map(|(file, _)| file)
    }

    pub fn log_path(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Puts a log that has grown large aside, in the place of the one before.
    pub fn rotate_log(&self) -> Result<(), LocalError> {
        if fs::symlink_metadata(self.log_path()).map_or(0, |found| found.len()) <= LOG_MAX {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true);
        let old = self.root.join("postgres.log.1");
        let (mut old, _) = own::file(&old, &mut options, Wide::Tightened)?;
        let mut log = self.log()?;
        std::io::copy(&mut log, &mut old).map_err(failed)?;
        log.set_len(0).map_err(failed)
    }

    pub fn as_account<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.current_dir("/");
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Root makes and changes nothing below a folder of PostgreSQL's account, who could put a link there meanwhile.
    pub fn make_folder_as_server(&self, path: &Path) -> Result<(), LocalError> {
        let mut command = system_program("mkdir");
        command.args(["-m", "700"]).arg(path);
        let done = self.as_account(&mut command).output().map_err(failed)?;
        if done.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        Err(LocalError::Failed(text))
    }
}

/// That this process is there and not a stranger's; where that cannot be told, it is taken for ours.
fn is_ours(pid: &str) -> bool {
    if !Path::new("/proc/self").exists() {
        return true;
    }
    let pid = pid.trim();
    let number = !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit());
    number
        && fs::metadata(format!("/proc/{pid}"))
            .is_ok_and(|found| found.uid() == own::us() || found.uid() == 0)
}

fn make_folder(path: &Path, mode: u32) -> Result<(), LocalError> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|e| own::cannot(path, &e))
}
