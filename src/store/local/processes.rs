//! Starts, watches and stops the process of one local server.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::LocalError;
use super::place::Place;
use super::programs::{Programs, system_program};
use super::sockets;

/// After a crash PostgreSQL replays its write-ahead log, which can take a while.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// A fast shutdown takes a tenth of a second, or some seconds if it checkpoints to a slow disk.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// A `stat` costs nothing, and a server in trouble cannot write much in this time.
const LOG_LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// Starts `postgres`, and stops it when standard input closes. The input moves to descriptor 3, because background jobs
/// read from /dev/null by default.
const KEEPER: &str = r#"exec 3<&0 </dev/null
"$@" 3<&- & server=$!
(read -r _ <&3; kill -INT $server) & watcher=$!
wait $server; status=$?
kill $watcher 2>/dev/null
exit $status"#;

impl Place {
    pub fn spawn(&self, programs: &Programs) -> Result<Child, LocalError> {
        self.keep_log_short();
        let log = self.log()?;
        let mut command = system_program("sh");
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
            .stdout(log.try_clone().map_err(LocalError::failed)?)
            .stderr(log)
            // Ctrl-C reaches the whole foreground group, but the server must survive until we have drained.
            .process_group(0);
        self.as_account(&mut command)
            .spawn()
            .map_err(LocalError::failed)
    }

    /// Failing to rotate, for example on a full disk, must not keep PostgreSQL from running.
    fn keep_log_short(&self) {
        if let Err(error) = self.rotate_log() {
            tracing::warn!(%error, "cannot rotate PostgreSQL's log; it keeps growing");
        }
    }

    /// PostgreSQL writes `ready` into the eighth line of its pid file.
    pub fn wait_until_ready(&self, child: &mut Child) -> Result<(), LocalError> {
        let started = Instant::now();
        while started.elapsed() < START_TIMEOUT {
            if self.pid_line(7).is_some_and(|status| status == "ready") {
                return Ok(());
            }
            if child.try_wait().map_err(LocalError::failed)?.is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(3));
        }
        drop(child.stdin.take());
        let log = self.log_path();
        Err(LocalError::failed(format!("see {}", log.display())))
    }

    fn pid_line(&self, index: usize) -> Option<String> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().nth(index).map(|line| line.trim().to_owned())
    }

    /// We hold the lock, so a server on our data is left over from a Latchkey that was killed. Either it is stopping,
    /// or its keeper was killed too. A stale pid file would keep the new server from starting.
    pub fn end_leftover(&self) {
        let started = Instant::now();
        let mut told = false;
        while let Some(pid) = self.pid_line(0).filter(|pid| self.is_our_server(pid)) {
            if started.elapsed() > Duration::from_secs(2) && !told {
                self.signal("-INT", &pid);
                told = true;
            }
            if started.elapsed() > STOP_TIMEOUT {
                self.signal("-QUIT", &pid);
                thread::sleep(Duration::from_secs(1));
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
        let _ = fs::remove_file(self.sockets.join(format!("{}.lock", sockets::FILE)));
    }

    /// Sends the signal as PostgreSQL's account: root could kill any process that the file names.
    fn signal(&self, signal: &str, pid: &str) {
        let mut kill = system_program("kill");
        let _ = self.as_account(kill.args([signal, pid])).status();
    }

    /// Checks the command line: the pid may belong to another process by now, and a zombie has no command line.
    fn is_our_server(&self, pid: &str) -> bool {
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).or_else(|_| {
            system_program("ps")
                .args(["-o", "command=", "-p", pid])
                .output()
                .map(|done| done.stdout)
        });
        let Ok(command_line) = command_line else {
            return false;
        };
        String::from_utf8_lossy(&command_line).contains(&*self.data().to_string_lossy())
    }

    /// Waits until told to stop, and restarts the server if it dies before that.
    pub fn keep_running(
        &self,
        mut child: Child,
        programs: &Programs,
        stopped: &mpsc::Receiver<()>,
    ) {
        let mut looked = Instant::now();
        while stopped.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
            if looked.elapsed() > LOG_LOOKED_AT_EVERY {
                looked = Instant::now();
                self.keep_log_short();
            }
            if !matches!(child.try_wait(), Ok(Some(_))) {
                continue;
            }
            tracing::error!("the local PostgreSQL stopped unexpectedly; restarting it");
            self.end_leftover();
            match self
                .spawn(programs)
                .and_then(|mut next| self.wait_until_ready(&mut next).map(|()| next))
            {
                Ok(next) => child = next,
                Err(error) => {
                    tracing::error!(%error, "cannot restart the local PostgreSQL; retrying in a second");
                    thread::sleep(Duration::from_secs(1));
                }
            }
        }
        drop(child.stdin.take());
        let _ = child.wait();
    }
}
