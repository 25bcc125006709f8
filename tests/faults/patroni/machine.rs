//! Programs that run as on a machine of their own, which can lose its power.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// PostgreSQL refuses to run as root.
pub const ACCOUNT: &str = "postgres";

/// A program and all its descendants, in a namespace of process ids.
pub struct Machine(Child);

impl Machine {
    /// Appends the output to `log`.
    ///
    /// Call it on the main thread: the kernel kills the program when the thread that started it ends, so that nothing
    /// outlives the suite, even if it is killed.
    pub fn start(log: &Path, program: &OsStr, arguments: &[String]) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
            // A change of account clears the signal that `--kill-child` asks for.
            .args(["setpriv", "--pdeathsig", "KILL", "--clear-groups"])
            .args(["--reuid", ACCOUNT, "--regid", ACCOUNT])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Kills everything at once with SIGKILL, and returns when nothing is left.
    pub fn die(mut self) {
        self.kill();
    }

    /// The first process in the namespace.
    fn init(&self) -> Option<String> {
        let pid = self.0.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        children.ok()?.split_whitespace().next().map(str::to_owned)
    }

    fn kill(&mut self) {
        match self.init() {
            // It takes all others with it, and ends after them.
            Some(init) => crate::server::kill(&init),
            None => drop(self.0.kill()),
        }
        let _ = self.0.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.kill();
        }
    }
}
