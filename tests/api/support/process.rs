//! The real binary as a process, with its own data directory.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use clap::Parser;
use latchkey::config::DatabaseSettings;
use latchkey::store::local::programs::Programs;

/// A directory that is deleted with the test.
pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "latchkey-tests-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        // Regardless of the umask, because a group-writable data directory is refused.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&path)
            .unwrap();
        Self(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Process {
    pub child: Child,
    pub address: SocketAddr,
    /// Its whole output.
    pub output: Arc<Mutex<String>>,
}

pub fn command(data_dir: &Path) -> Command {
    command_of(Path::new(env!("CARGO_BIN_EXE_latchkey")), data_dir)
}

/// On a machine without PostgreSQL's programs, installs them if the settings allow that, as `cargo test` does. Before
/// anything starts, because a start does not take as long.
pub fn install_programs() {
    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        database: DatabaseSettings,
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let settings = Arguments::parse_from(["tests"]).database;
        if !Programs::exist() {
            latchkey::cli::programs::install(settings.install_postgres).unwrap();
        }
    });
}

/// A program that may embed Latchkey.
pub fn command_of(program: &Path, data_dir: &Path) -> Command {
    install_programs();
    let mut command = Command::new(program);
    command
        .env_remove("DATABASE_URL")
        .env("LATCHKEY_DATA_DIR", data_dir)
        .env("LATCHKEY_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a start that must be refused. One that is not fails the test, instead of holding it up.
pub fn ended(command: &mut Command) -> Output {
    let mut child = command.spawn().unwrap();
    let read = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    let stdout = read(child.stdout.take().map(|stream| Box::new(stream) as _));
    let stderr = read(child.stderr.take().map(|stream| Box::new(stream) as _));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > Duration::from_secs(30) {
            // At a signal it also ends its PostgreSQL.
            let pid = child.id().to_string();
            Command::new("kill").arg(&pid).status().unwrap();
            child.wait().unwrap();
            let told = [stdout.join().unwrap(), stderr.join().unwrap()].concat();
            panic!("it was not refused: {}", String::from_utf8_lossy(&told));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Output {
        status,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        Self::spawn_logging_to(command, Stdio::piped())
    }

    pub fn spawn_logging_to(command: &mut Command, log: impl Into<Stdio>) -> Self {
        let mut child = command.stderr(log).spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let (ready, is_ready) = std::sync::mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            collect(stderr, output.clone(), None);
        }
        collect(child.stdout.take().unwrap(), output.clone(), Some(ready));
        let Ok(address) = is_ready.recv_timeout(Duration::from_secs(60)) else {
            let _ = child.kill();
            panic!("did not start: {}", output.lock().unwrap());
        };
        Self {
            child,
            address,
            output,
        }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the process to end, which must happen within ten seconds.
    pub fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "still running: {}",
                self.output.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal("TERM");
            let _ = self.child.wait();
        }
    }
}

/// Collects lines. The line that says where it listens means that the server is ready.
fn collect(
    stream: impl Read + Send + 'static,
    into: Arc<Mutex<String>>,
    ready: Option<std::sync::mpsc::Sender<SocketAddr>>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            into.lock().unwrap().push_str(&format!("{line}\n"));
            let address = line
                .trim()
                .strip_prefix("Listening")
                .and_then(|rest| rest.trim().strip_prefix("http://"))
                .and_then(|rest| rest.split(' ').next());
            if let (Some(address), Some(ready)) = (address, &ready) {
                let _ = ready.send(address.parse().unwrap());
            }
        }
    });
}
