//! The files and the processes of one local server.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::account::Account;
use super::{LocalError, failed};
use crate::store::programs::Programs;

/// Starting after a crash replays the log, which can take a while.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// A fast shutdown takes a tenth of a second; a checkpoint on a slow disk some seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Where the data goes when we are root and the account of PostgreSQL cannot reach the directory asked for.
const FOR_ROOT: &str = "/var/lib/latchkey";
/// Socket paths longer than this do not fit into `sockaddr_un` everywhere.
const SOCKET_PATH_MAX: usize = 100;
const SOCKET_FILE: &str = ".s.PGSQL.5432";

/// Starts `postgres` and stops it when standard input ends. A background job's input is /dev/null unless said
/// otherwise, hence descriptor 3.
const KEEPER: &str = r#"exec 3<&0 </dev/null
"$@" 3<&- & server=$!
(read -r _ <&3; kill -INT $server) & watcher=$!
wait $server; status=$?
kill $watcher 2>/dev/null
exit $status"#;

/// The files of one local server.
#[derive(Clone)]
pub struct Place {
    pub root: PathBuf,
    pub sockets: PathBuf,
    account: Option<Account>,
}

impl Place {
    pub fn prepare(data_dir: &Path) -> Result<Self, LocalError> {
        let mut root = std::path::absolute(data_dir).map_err(failed)?;
        let account = Account::for_postgres()?;
        let there = root
            .ancestors()
            .find(|path| path.is_dir())
            .unwrap_or(Path::new("/"));
        if account.is_some_and(|account| !account.can_enter(there)) {
            root = PathBuf::from(FOR_ROOT);
        }
        make_directory(&root, 0o755)?;
        let _ = fs::write(root.join(".gitignore"), "*\n");
        let own = root.join("postgres");
        make_directory(&own, 0o700)?;
        let mut sockets = own.join("run");
        if sockets.join(SOCKET_FILE).as_os_str().len() > SOCKET_PATH_MAX {
            sockets = PathBuf::from(format!("/tmp/latchkey-{}", short_name(&root)));
        }
        make_directory(&sockets, 0o700)?;
        if let Some(account) = account {
            for directory in [&own, &sockets] {
                chown(directory, Some(account.uid), Some(account.gid)).map_err(failed)?;
            }
        }
        let mine = fs::metadata(&own).map_err(failed)?.uid();
        if fs::metadata(&sockets).map_err(failed)?.uid() != mine {
            return Err(LocalError::Failed(format!(
                "{} belongs to another account",
                sockets.display()
            )));
        }
        Ok(Self {
            root,
            sockets,
            account,
        })
    }

    pub fn data(&self) -> PathBuf {
        self.root.join("postgres/data")
    }

    /// The lock is the kernel's: it ends with the process, however that ends.
    pub fn lock(&self) -> Result<File, LocalError> {
        let path = self.root.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| LocalError::Failed(format!("{}: {e}", path.display())))?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(failed)?;
                write!(file, "{}", std::process::id()).map_err(failed)?;
                Ok(file)
            }
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
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

    pub fn spawn(&self, programs: &Programs) -> Result<Child, LocalError> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.root.join("postgres.log"))
            .map_err(failed)?;
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER, "latchkey-postgres"])
            .arg(programs.directory.join("postgres"))
            .arg("-D")
            .arg(self.data())
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "unix_socket_permissions=0700",
                "-c",
                "lc_messages=C",
            ])
            .arg("-c")
            .arg(format!(
                "unix_socket_directories={}",
                self.sockets.display()
            ))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            // Ctrl-C reaches the whole foreground group: the server must outlive it until we have drained.
            .process_group(0);
        self.as_account(&mut command).spawn().map_err(failed)
    }

    fn as_account<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.current_dir("/");
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// PostgreSQL writes `ready` into the eighth line of its pid file.
    pub fn wait_until_ready(&self, child: &mut Child) -> Result<(), LocalError> {
        let started = Instant::now();
        while started.elapsed() < START_TIMEOUT {
            if self.pid_line(7).is_some_and(|status| status == "ready") {
                return Ok(());
            }
            if child.try_wait().map_err(failed)?.is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(3));
        }
        drop(child.stdin.take());
        Err(LocalError::Failed(format!(
            "see {}",
            self.root.join("postgres.log").display()
        )))
    }

    fn pid_line(&self, index: usize) -> Option<String> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().nth(index).map(|line| line.trim().to_owned())
    }

    /// We hold the lock, so a server on our data is left over from a Latchkey that was killed: it is stopping, or
    /// its keeper was killed too. A pid file whose process is gone or another's would only keep the new one away.
    pub fn end_leftover(&self) {
        let started = Instant::now();
        let mut told = false;
        while let Some(pid) = self.pid_line(0).filter(|pid| self.is_our_server(pid)) {
            if started.elapsed() > Duration::from_secs(2) && !told {
                let _ = Command::new("kill").args(["-INT", &pid]).status();
                told = true;
            }
            if started.elapsed() > STOP_TIMEOUT {
                let _ = Command::new("kill").args(["-QUIT", &pid]).status();
                thread::sleep(Duration::from_secs(1));
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
        let _ = fs::remove_file(self.sockets.join(format!("{SOCKET_FILE}.lock")));
    }

    /// By its command line: a number may have been given to another process, and a zombie has none.
    fn is_our_server(&self, pid: &str) -> bool {
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).or_else(|_| {
            Command::new("ps")
                .args(["-o", "command=", "-p", pid])
                .output()
                .map(|done| done.stdout)
        });
        let Ok(command_line) = command_line else {
            return false;
        };
        String::from_utf8_lossy(&command_line).contains(&*self.data().to_string_lossy())
    }

    /// Waits for the word to stop; starts the server again should it die before.
    pub fn keep_running(
        &self,
        mut child: Child,
        programs: &Programs,
        stopped: &mpsc::Receiver<()>,
    ) {
        while stopped.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
            if !matches!(child.try_wait(), Ok(Some(_))) {
                continue;
            }
            tracing::error!("the local PostgreSQL ended by itself; starting it again");
            self.end_leftover();
            match self
                .spawn(programs)
                .and_then(|mut next| self.wait_until_ready(&mut next).map(|()| next))
            {
                Ok(next) => child = next,
                Err(error) => {
                    tracing::error!(%error, "trying again in a second");
                    thread::sleep(Duration::from_secs(1));
                }
            }
        }
        drop(child.stdin.take());
        let _ = child.wait();
    }
}

fn make_directory(path: &Path, mode: u32) -> Result<(), LocalError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|e| LocalError::Failed(format!("{}: {e}", path.display())))
}

/// The same name for the same path, every time.
fn short_name(path: &Path) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
