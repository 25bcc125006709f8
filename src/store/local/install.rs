//! Installs PostgreSQL's programs with the package manager of this machine.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::error::LocalError;
use super::programs::{Programs, SYSTEM_FOLDERS, system_program};

/// Debian would create a server of its own that starts at every boot. Latchkey needs only the programs, so this says no
/// to that first, unless the machine has an opinion already.
const APT: &str = "apt-get update && mkdir -p /etc/postgresql-common && \
    { test -e /etc/postgresql-common/createcluster.conf || \
    echo create_main_cluster = false >/etc/postgresql-common/createcluster.conf; } && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 postgresql";
const DNF: &str = "dnf install -y postgresql-server";
const APK: &str = "apk add postgresql";
const BREW: &str = "brew install postgresql@17";

/// How much of what the package manager said an error repeats.
const LAST_LINES: usize = 8;

/// What installs PostgreSQL on this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Installer {
    script: &'static str,
    run_by: RunBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunBy {
    Us,
    Sudo,
}

impl Installer {
    /// `None` if this machine has no package manager that Latchkey knows, or we may not use it.
    pub fn find() -> Option<Self> {
        let programs = ["apt-get", "dnf", "apk", "brew", "sudo"];
        let script = programs.map(|name| format!("command -v {name}")).join("; ");
        let found = shell(&script).stderr(Stdio::null()).output().ok()?;
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        let is_there = |name: &str| {
            found
                .lines()
                .any(|path| path.ends_with(&format!("/{name}")))
        };
        Self::choose(is_there, rustix::process::geteuid().is_root())
    }

    /// Homebrew comes last, because a Linux machine may have it too, and refuses root.
    fn choose(is_there: impl Fn(&str) -> bool, is_root: bool) -> Option<Self> {
        let run_by = match is_root {
            true => Some(RunBy::Us),
            false => is_there("sudo").then_some(RunBy::Sudo),
        };
        let of_the_system = [("apt-get", APT), ("dnf", DNF), ("apk", APK)];
        let found = of_the_system.into_iter().find(|(name, _)| is_there(name));
        let brew = (is_there("brew") && !is_root).then_some(Self {
            script: BREW,
            run_by: RunBy::Us,
        });
        let system = found.zip(run_by);
        system
            .map(|((_, script), run_by)| Self { script, run_by })
            .or(brew)
    }

    /// The command line, as somebody would type it.
    pub fn shown(&self) -> String {
        match self.run_by {
            RunBy::Us => self.script.to_owned(),
            RunBy::Sudo if !self.script.contains("&&") => format!("sudo {}", self.script),
            RunBy::Sudo => format!("sudo sh -c '{}'", self.script),
        }
    }

    /// Installs, and passes on each line that the package manager prints. Waits for another Latchkey that does the same,
    /// and then finds nothing left to do. `may_ask`: sudo may ask for a password at the terminal.
    pub fn run(&self, may_ask: bool, told: impl Fn(&str) + Sync) -> Result<(), LocalError> {
        let lock = lock().map_err(LocalError::failed)?;
        let began = Instant::now();
        // Longer than an installation. The package manager has a lock of its own.
        while lock.try_lock().is_err() && began.elapsed() < Duration::from_secs(300) {
            sleep(Duration::from_millis(200));
        }
        if Programs::exist() {
            return Ok(());
        }
        let mut command = self.command(may_ask);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(LocalError::failed)?;
        let said = Mutex::new(Vec::new());
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        std::thread::scope(|scope| {
            for stream in streams.into_iter().flatten() {
                scope.spawn(|| {
                    for line in BufReader::new(stream).lines().map_while(Result::ok) {
                        told(&line);
                        if let Ok(mut said) = said.lock() {
                            said.push(line);
                        }
                    }
                });
            }
        });
        let status = child.wait().map_err(LocalError::failed)?;
        let said = said.into_inner().unwrap_or_default();
        match status.success() {
            true if Programs::exist() => Ok(()),
            true => Err(self.failed("it ended well, but the programs are not there", &said)),
            false => Err(self.failed(&status.to_string(), &said)),
        }
    }

    fn command(&self, may_ask: bool) -> Command {
        match self.run_by {
            RunBy::Us => shell(self.script),
            RunBy::Sudo => {
                let mut command = system_program("sudo");
                if !may_ask {
                    command.arg("-n");
                }
                command.args(["sh", "-c", self.script]);
                command
            }
        }
    }

    fn failed(&self, why: &str, said: &[String]) -> LocalError {
        let last = &said[said.len().saturating_sub(LAST_LINES)..];
        LocalError::NotInstalled {
            command: self.shown(),
            why: why.to_owned(),
            said: last.join("\n  "),
        }
    }
}

/// Root's lock is a file that nobody else can hold. Others lock the temporary directory, and leave nothing behind.
fn lock() -> std::io::Result<File> {
    if !rustix::process::geteuid().is_root() {
        return File::open(std::env::temp_dir());
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW);
    options.open("/run/latchkey-install.lock")
}

/// A shell that, for root, finds only programs that nobody else could have put there.
fn shell(script: &str) -> Command {
    let mut command = system_program("sh");
    command.args(["-c", script]);
    if rustix::process::geteuid().is_root() {
        command.env("PATH", SYSTEM_FOLDERS.join(":"));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command for a machine that has these programs.
    fn chosen(present: &str, is_root: bool) -> Option<String> {
        let is_there = |name: &str| present.split(' ').any(|one| one == name);
        Installer::choose(is_there, is_root).map(|installer| installer.shown())
    }

    #[test]
    fn the_command_is_that_of_the_machines_own_package_manager() {
        let apt = format!("sudo sh -c '{APT}'");
        for (present, is_root, expected) in [
            ("apt-get sudo", true, Some(APT)),
            ("apt-get", true, Some(APT)),
            ("apt-get sudo", false, Some(&*apt)),
            ("apt-get brew sudo", false, Some(&apt)),
            ("dnf", true, Some("dnf install -y postgresql-server")),
            (
                "dnf sudo",
                false,
                Some("sudo dnf install -y postgresql-server"),
            ),
            ("apk", true, Some("apk add postgresql")),
            ("apk sudo", false, Some("sudo apk add postgresql")),
            ("brew", false, Some("brew install postgresql@17")),
            ("apt-get brew", false, Some("brew install postgresql@17")),
            ("apt-get", false, None),
            ("brew sudo", true, None),
            ("sudo", false, None),
        ] {
            let found = chosen(present, is_root);
            assert_eq!(found.as_deref(), expected, "{present}, root: {is_root}");
        }
    }

    #[test]
    fn the_script_survives_the_quotes_in_which_sudo_gets_it() {
        for script in [APT, DNF, APK, BREW] {
            assert!(!script.contains('\''), "{script}");
        }
    }
}
