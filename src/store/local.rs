//! The private PostgreSQL that Latchkey starts when no `DATABASE_URL` is given.
//!
//! It lives under the data directory, listens on a unix socket only, is durable (fsync on), and ends with Latchkey:
//! a small shell between the two holds a pipe from us and stops the server when that pipe closes, also when we are
//! killed with -9. That needs neither `unsafe` nor Linux.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::connection::Connector;
use super::programs::Programs;

/// Starting after a crash replays the log, which can take a while.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// A fast shutdown takes a tenth of a second; a checkpoint on a slow disk some seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
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

/// Why the local PostgreSQL could not be had; each text says what to do.
#[derive(Debug)]
pub enum LocalError {
    NoPrograms,
    OtherVersion { data: PathBuf, major: u32 },
    InUse { directory: PathBuf, pid: String },
    Failed(String),
}

impl std::fmt::Display for LocalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoPrograms => f.write_str(
                "PostgreSQL's programs (postgres, initdb) were not found on this machine. Install them:\n  \
                 Debian, Ubuntu: apt-get install postgresql\n  \
                 Fedora:         dnf install postgresql-server\n  \
                 macOS:          brew install postgresql@17\n\
                 or set DATABASE_URL=postgres://user:password@host/database to use a server you have.",
            ),
            Self::OtherVersion { data, major } => write!(
                f,
                "{} was made by PostgreSQL {major}, whose programs are not on this machine. Install version {major}, \
                 or set LATCHKEY_DATA_DIR to start with a new database.",
                data.display()
            ),
            Self::InUse { directory, pid } => write!(
                f,
                "another Latchkey (process {pid}) is using {}. Stop it first, or set LATCHKEY_DATA_DIR and \
                 LATCHKEY_LISTEN to run a second one beside it.",
                directory.display()
            ),
            Self::Failed(why) => write!(f, "the local PostgreSQL could not be started: {why}"),
        }
    }
}

impl std::error::Error for LocalError {}

/// The files of one local server.
#[derive(Clone)]
struct Place {
    root: PathBuf,
    sockets: PathBuf,
    account: Option<Account>,
}

/// The account that PostgreSQL runs as when we are root, which it refuses to be.
#[derive(Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

/// A running local server; it stops when this is dropped.
pub struct LocalPostgres {
    place: Place,
    /// Held as long as we run; `None` when another process runs the server and we only visit.
    owned: Option<Owned>,
}

struct Owned {
    stop: mpsc::Sender<()>,
    keeper: Option<JoinHandle<()>>,
    _lock: File,
}

impl LocalPostgres {
    /// Starts the server of `data_dir`, making it first if it is not there.
    pub fn start(data_dir: &Path) -> Result<Self, LocalError> {
        let place = Place::prepare(data_dir)?;
        let lock = place.lock()?;
        let data = place.data();
        let major = fs::read_to_string(data.join("PG_VERSION"))
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let programs = Programs::find(major).ok_or_else(|| match major {
            Some(major) => LocalError::OtherVersion {
                data: data.clone(),
                major,
            },
            None => LocalError::NoPrograms,
        })?;
        if major.is_none() {
            place.create_cluster(&programs)?;
        }
        place.end_leftover();
        let mut child = place.spawn(&programs)?;
        place.wait_until_ready(&mut child)?;
        let (stop, stopped) = mpsc::channel();
        let watched = place.clone();
        let keeper = thread::Builder::new()
            .name("postgres-keeper".to_owned())
            .spawn(move || watched.keep_running(child, &programs, &stopped))
            .map_err(failed)?;
        Ok(Self {
            place,
            owned: Some(Owned {
                stop,
                keeper: Some(keeper),
                _lock: lock,
            }),
        })
    }

    /// For a short command: visits the server that a running Latchkey keeps, else starts it for the while.
    pub fn visit_or_start(data_dir: &Path) -> Result<Self, LocalError> {
        match Self::start(data_dir) {
            Err(LocalError::InUse { .. }) => Ok(Self {
                place: Place::prepare(data_dir)?,
                owned: None,
            }),
            other => other,
        }
    }

    pub fn connector(&self) -> Connector {
        Connector::unix_socket(&self.place.sockets, "latchkey", "postgres")
    }

    /// Where the data is: `data_dir`, or its replacement when root's files cannot be reached by `postgres`.
    pub fn directory(&self) -> &Path {
        &self.place.root
    }

    /// A command line that opens this database.
    pub fn psql(&self) -> String {
        format!(
            "psql -h {} -U latchkey postgres",
            self.place.sockets.display()
        )
    }
}

impl Drop for LocalPostgres {
    fn drop(&mut self) {
        if let Some(owned) = &mut self.owned {
            let _ = owned.stop.send(());
            if let Some(keeper) = owned.keeper.take() {
                let _ = keeper.join();
            }
        }
    }
}

impl Place {
    fn prepare(data_dir: &Path) -> Result<Self, LocalError> {
        let mut root = std::path::absolute(data_dir).map_err(failed)?;
        let account = Account::for_postgres()?;
        make_directory(&root, 0o755)?;
        if let Some(account) = account
            && !account.can_enter(&root)
        {
            root = PathBuf::from("/var/lib/latchkey");
            make_directory(&root, 0o755)?;
        }
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

    fn data(&self) -> PathBuf {
        self.root.join("postgres/data")
    }

    /// The lock is the kernel's: it ends with the process, however that ends.
    fn lock(&self) -> Result<File, LocalError> {
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
    fn create_cluster(&self, programs: &Programs) -> Result<(), LocalError> {
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

    fn spawn(&self, programs: &Programs) -> Result<Child, LocalError> {
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
    fn wait_until_ready(&self, child: &mut Child) -> Result<(), LocalError> {
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
    fn end_leftover(&self) {
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
    fn keep_running(&self, mut child: Child, programs: &Programs, stopped: &mpsc::Receiver<()>) {
        loop {
            match stopped.recv_timeout(Duration::from_millis(50)) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
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

impl Account {
    /// `None` for an ordinary user, who runs PostgreSQL as himself.
    fn for_postgres() -> Result<Option<Self>, LocalError> {
        if id(&["-u"]) != Some(0) {
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

    fn can_enter(self, directory: &Path) -> bool {
        let mut command = Command::new("sh");
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
    let done = Command::new("id")
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(done.stdout).ok()?.trim().parse().ok()
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

fn failed(error: std::io::Error) -> LocalError {
    LocalError::Failed(error.to_string())
}
