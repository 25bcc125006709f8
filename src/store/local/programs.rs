//! Finds PostgreSQL's own programs on this machine.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory that holds `postgres` and `initdb`, and their major version.
#[derive(Debug, Clone)]
pub struct Programs {
    pub directory: PathBuf,
    pub major: u32,
}

/// Where packages put the programs: Debian and Ubuntu, Fedora and RHEL, SUSE, source builds, Homebrew, Postgres.app.
const PLACES: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/bin",
    "/usr/libexec/postgresql*",
    "/usr/lib/postgresql*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

impl Programs {
    /// The programs of major version `wanted`, or the newest.
    pub fn find(wanted: Option<u32>) -> Option<Self> {
        let mut directories: Vec<PathBuf> = on_path()
            .into_iter()
            .chain(PLACES.iter().flat_map(expand))
            .filter_map(|directory| directory.canonicalize().ok())
            .collect();
        directories.retain(|d| d.join("postgres").is_file() && d.join("initdb").is_file());
        directories.retain(|d| may_run(&d.join("postgres")) && may_run(&d.join("initdb")));
        directories.dedup();
        let found = directories.into_iter().filter_map(|directory| {
            let major = major_version(&directory.join("postgres"))?;
            Some(Self { directory, major })
        });
        match wanted {
            Some(major) => found.into_iter().find(|programs| programs.major == major),
            None => found.max_by_key(|programs| programs.major),
        }
    }

    /// Whether this machine has any.
    pub fn exist() -> bool {
        Self::find(None).is_some()
    }

    pub fn command(&self, program: &str) -> Command {
        Command::new(self.directory.join(program))
    }
}

/// The directories of the programs on PATH, with links resolved, and the one that `pg_config` reports.
fn on_path() -> Vec<PathBuf> {
    let lines = |command: &mut Command| output(command).unwrap_or_default();
    let script = "command -v postgres; command -v initdb; command -v pg_config";
    let found = lines(system_program("sh").args(["-c", script]));
    let real = |line: &str| Path::new(line).canonicalize().ok();
    let mut directories: Vec<PathBuf> = Vec::new();
    for program in found.lines().filter_map(real) {
        if !program.ends_with("pg_config") {
            directories.extend(program.parent().map(Path::to_owned));
        } else if may_run(&program) {
            let told = lines(Command::new(&program).arg("--bindir"));
            directories.extend(told.lines().filter_map(real));
        }
    }
    directories
}

/// Root runs only programs that no other account could have written or can replace. This includes every directory above
/// the program and above the target of a link.
fn may_run(program: &Path) -> bool {
    if !rustix::process::geteuid().is_root() {
        return true;
    }
    let roots_alone = |path: &Path| {
        path.symlink_metadata()
            .is_ok_and(|found| found.uid() == 0 && found.mode() & 0o022 == 0)
    };
    let real = program.canonicalize();
    let trusted = program.ancestors().skip(1).all(roots_alone)
        && real.is_ok_and(|real| real.ancestors().all(roots_alone));
    if !trusted {
        tracing::warn!(
            "not running {} as root: another account could have changed it",
            program.display()
        );
    }
    trusted
}

/// Where root looks for programs. The last one is NixOS.
pub const SYSTEM_FOLDERS: [&str; 5] = [
    "/usr/bin",
    "/bin",
    "/usr/sbin",
    "/sbin",
    "/run/current-system/sw/bin",
];

/// A standard system program. Root never searches PATH for it, which may start with another account's directory.
pub fn system_program(name: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(name);
    }
    let paths = SYSTEM_FOLDERS.map(|folder| Path::new(folder).join(name));
    let found = paths.iter().find(|path| path.is_file());
    Command::new(found.unwrap_or(&paths[0]))
}

/// Expands the one `*` that a pattern may have.
fn expand(pattern: &&str) -> Vec<PathBuf> {
    let Some(star) = pattern.find('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (before, after) = pattern.split_at(star);
    let after = &after[1..];
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| PathBuf::from(format!("{}{after}", entry.path().display())))
        .collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` → 15
fn major_version(postgres: &Path) -> Option<u32> {
    let text = output(Command::new(postgres).arg("--version"))?;
    let version = text.split("(PostgreSQL) ").nth(1)?;
    version
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// The standard output of a short command, even if its exit status is not zero.
fn output(command: &mut Command) -> Option<String> {
    let done = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(done.stdout).ok()
}
