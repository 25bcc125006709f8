//! The data directory of one local server, and the files in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::Account;
use super::error::LocalError;
use super::own::{self, Wide};
use super::programs::{Programs, system_program};

const MOVABLE: &str = "is below a directory of another account, which could replace it: move it and set \
                       LATCHKEY_DATA_DIR, or run Latchkey as that account";
/// Where the data goes if we are root and PostgreSQL's account cannot reach the requested directory, or another account
/// could replace it.
const FOR_ROOT: &str = "/var/lib/latchkey";
/// The size at which PostgreSQL's log is rotated.
const LOG_MAX: u64 = 8 * 1024 * 1024;

/// The data directory of one local server.
#[derive(Clone)]
pub struct Place {
    pub root: PathBuf,
    /// Empty until `sockets::prepare` or `sockets::find` says where they are.
    pub sockets: PathBuf,
    pub account: Option<Account>,
}

impl Place {
    /// Creates or checks the data directory. Others may at most read it, and only its owner can create or move files in
    /// it.
    pub fn prepare(data_dir: &Path) -> Result<Self, LocalError> {
        let mut root = std::path::absolute(data_dir).map_err(LocalError::failed)?;
        let account = Account::for_postgres()?;
        let there = root
            .ancestors()
            .find(|path| path.is_dir())
            .unwrap_or(Path::new("/"));
        let safe = own::keep_what_is_ours(there.parent().unwrap_or(there));
        if account.is_some_and(|account| !account.can_enter(there) || !safe) {
            if fs::symlink_metadata(root.join("postgres/data")).is_ok() {
                return Err(LocalError::not_ours(&root, MOVABLE));
            }
            root = PathBuf::from(FOR_ROOT);
        } else if !safe {
            tracing::warn!("{} {MOVABLE}", root.display());
        }
        make_folder(&root, 0o755).map_err(|error| {
            LocalError::failed(format!("{error}. LATCHKEY_DATA_DIR sets another place"))
        })?;
        own::folder(&root, &[own::us(), 0], 0o755)?;
        let _ = fs::write(root.join(".gitignore"), "*\n");
        let place = Self {
            root,
            sockets: PathBuf::new(),
            account,
        };
        let postgres = place.root.join("postgres");
        make_folder(&postgres, 0o700)?;
        place.hand_over(&postgres)?;
        own::folder(&postgres, &[place.server_uid()], 0o700)?;
        Ok(place)
    }

    /// The account that PostgreSQL runs as.
    pub fn server_uid(&self) -> u32 {
        self.account.map_or_else(own::us, |account| account.uid)
    }

    /// Gives a directory that we created to PostgreSQL's account.
    pub fn hand_over(&self, folder: &Path) -> Result<(), LocalError> {
        self.account
            .map_or(Ok(()), |account| account.take_over(folder))
    }

    /// Removes the empty directories of a server that never was: installing PostgreSQL may create the account that they
    /// then belong to.
    pub fn leave_to_another_account(&self) {
        let _ = fs::remove_dir(&self.sockets);
        let _ = fs::remove_dir(self.root.join("postgres"));
    }

    pub fn data(&self) -> PathBuf {
        self.root.join("postgres/data")
    }

    /// The major version that created the cluster; `None` if there is none yet.
    pub fn major(&self) -> Result<Option<u32>, LocalError> {
        let data = self.data();
        if fs::symlink_metadata(&data).is_err() {
            return Ok(None);
        }
        own::folder(&data, &[self.server_uid()], 0o700)?;
        let version = fs::read_to_string(data.join("PG_VERSION")).ok();
        Ok(version.and_then(|text| text.trim().parse().ok()))
    }

    /// Acquires a kernel lock, which is released however the process ends. Only we can open the file, because anyone
    /// who can open a file can lock it.
    pub fn lock(&self) -> Result<File, LocalError> {
        let path = self.root.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let (mut file, was_wide) = own::file(&path, &mut options, Wide::Tightened)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(LocalError::failed)?;
                write!(file, "{}", std::process::id()).map_err(LocalError::failed)?;
                Ok(file)
            }
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                if was_wide && !is_ours(&pid) {
                    // A stranger has locked a file of an older release, which anyone could open. They may keep it; we
                    // create a new one, unless another Latchkey of ours already has.
                    let there = fs::symlink_metadata(&path).map_err(LocalError::failed)?;
                    if there.ino() == file.metadata().map_err(LocalError::failed)?.ino() {
                        fs::remove_file(&path).map_err(|e| LocalError::at(&path, &e))?;
                    }
                    return self.lock();
                }
                Err(LocalError::InUse {
                    directory: self.root.clone(),
                    pid,
                })
            }
            Err(TryLockError::Error(error)) => Err(LocalError::failed(error)),
        }
    }

    /// Runs initdb in a separate directory and renames that afterwards, so that a half-made cluster is never used.
    pub fn create_cluster(&self, programs: &Programs) -> Result<(), LocalError> {
        let fresh = self.root.join("postgres/initdb");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(LocalError::failed)?;
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
            .map_err(LocalError::failed)?;
        if !done.status.success() {
            let text = String::from_utf8_lossy(&done.stderr);
            return Err(LocalError::failed(format!("initdb: {}", text.trim())));
        }
        fs::rename(&fresh, self.data()).map_err(LocalError::failed)
    }

    /// Opened for appending, so that PostgreSQL continues in the right place after the file is truncated.
    pub fn log(&self) -> Result<File, LocalError> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        own::file(&self.log_path(), &mut options, Wide::Tightened).map(|(file, _)| file)
    }

    pub fn log_path(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Moves a log that has grown too large aside, replacing the previous one.
    pub fn rotate_log(&self) -> Result<(), LocalError> {
        if fs::symlink_metadata(self.log_path()).map_or(0, |found| found.len()) <= LOG_MAX {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true);
        let old = self.root.join("postgres.log.1");
        let (mut old, _) = own::file(&old, &mut options, Wide::Tightened)?;
        let mut log = self.log()?;
        std::io::copy(&mut log, &mut old).map_err(LocalError::failed)?;
        log.set_len(0).map_err(LocalError::failed)
    }

    pub fn as_account<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.current_dir("/");
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Root itself changes nothing below a directory of PostgreSQL's account, which could swap in a link.
    pub fn make_folder_as_server(&self, path: &Path) -> Result<(), LocalError> {
        let mut command = system_program("mkdir");
        command.args(["-m", "700"]).arg(path);
        let done = self
            .as_account(&mut command)
            .output()
            .map_err(LocalError::failed)?;
        if done.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&done.stderr);
        Err(LocalError::failed(text.trim()))
    }
}

/// Whether this process is running and is ours or root's. Without /proc, it counts as ours.
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
        .map_err(|e| LocalError::at(path, &e))
}
