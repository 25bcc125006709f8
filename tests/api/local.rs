//! The local PostgreSQL and other accounts: they can neither reach it, nor take its place, nor block its start.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::process::{Process, TempDir, command};
use crate::support::{as_account, postgres_account, wait_until};

/// `nobody`, if we are root and can create files for it.
fn stranger() -> Option<(u32, u32)> {
    postgres_account().map(|_| (65_534, 65_534))
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The output of a command that must end on its own.
fn ended(command: &mut Command) -> Output {
    let mut child = command.spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(20) {
            let id = child.id().to_string();
            Command::new("kill").arg(id).status().unwrap();
            panic!("still running: {:?}", child.wait_with_output().unwrap());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

fn refusal(data: &Path) -> String {
    let done = ended(&mut command(data));
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{told}");
    told
}

fn start_and_stop(data: &Path) {
    let mut process = Process::start(data);
    process.signal("TERM");
    process.wait();
}

#[test]
fn files_open_to_other_accounts_are_refused_with_the_fix() {
    let data = TempDir::new();
    start_and_stop(&data.0);
    let cases = [
        ("", 0o777, "chmod 755"),
        ("", 0o775, "chmod 755"),
        ("postgres", 0o755, "chmod 700"),
        ("postgres/data", 0o750, "chmod 700"),
        ("postgres/run", 0o777, "chmod 700"),
        ("secret_key", 0o644, "chmod 600"),
    ];
    for (name, wide, fix) in cases {
        let path = data.0.join(name);
        let before = mode(&path);
        set_mode(&path, wide);
        let told = refusal(&data.0);
        let path = path.display().to_string();
        let path = path.trim_end_matches('/');
        assert!(told.contains(&format!("{fix} {path}")), "{name}: {told}");
        set_mode(Path::new(path), before);
    }
    start_and_stop(&data.0);
}

#[test]
fn files_of_another_account_are_refused() {
    let data = TempDir::new();
    start_and_stop(&data.0);
    let Some((uid, gid)) = stranger() else {
        // Only root can give files away, but a directory of another account always exists.
        let told = refusal(Path::new("/root/latchkey-of-others"));
        assert!(told.contains("/root"), "{told}");
        return;
    };
    for name in [
        "",
        "postgres",
        "postgres/data",
        "postgres/run",
        "lock",
        "postgres.log",
        "secret_key",
    ] {
        let path = data.0.join(name);
        let before = fs::metadata(&path).unwrap();
        chown(&path, Some(uid), Some(gid)).unwrap();
        let told = refusal(&data.0);
        assert!(told.contains("belongs to account 65534"), "{name}: {told}");
        chown(&path, Some(before.uid()), Some(before.gid())).unwrap();
    }
    start_and_stop(&data.0);
}

#[test]
fn symbolic_links_are_not_followed() {
    let (data, elsewhere) = (TempDir::new(), TempDir::new());
    start_and_stop(&data.0);
    let link = elsewhere.0.join("link");
    symlink(&data.0, &link).unwrap();
    assert!(refusal(&link).contains("symbolic link"));
    for name in [
        "postgres",
        "postgres/data",
        "postgres/run",
        "lock",
        "postgres.log",
        "secret_key",
    ] {
        let (path, target) = (data.0.join(name), elsewhere.0.join("target"));
        fs::rename(&path, &target).unwrap();
        let before = (mode(&target), fs::metadata(&target).unwrap().uid());
        symlink(&target, &path).unwrap();
        let told = refusal(&data.0);
        assert!(
            told.contains("symbolic link") && told.contains(&path.display().to_string()),
            "{name}: {told}"
        );
        let after = (mode(&target), fs::metadata(&target).unwrap().uid());
        assert_eq!(after, before, "{name}: the target of the link is unchanged");
        fs::remove_file(&path).unwrap();
        fs::rename(&target, &path).unwrap();
    }
    start_and_stop(&data.0);
}

/// An older release made the lock world-readable, and anyone who can open a file can lock it.
#[test]
fn a_stranger_who_holds_an_old_lock_file_does_not_block_the_start() {
    let data = TempDir::new();
    start_and_stop(&data.0);
    let (lock, log) = (data.0.join("lock"), data.0.join("postgres.log"));
    set_mode(&lock, 0o644);
    set_mode(&log, 0o644);
    let mut holder = Command::new("flock");
    holder
        .arg(&lock)
        .args(["-c", "echo held; exec sleep 60"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    as_account(&mut holder, stranger());
    let mut held = stranger().map(|_| holder.spawn().unwrap());
    if let Some(held) = &mut held {
        use std::io::Read;
        let mut told = [0; 4];
        held.stdout.as_mut().unwrap().read_exact(&mut told).unwrap();
    }
    let process = Process::start(&data.0);
    assert_eq!((mode(&lock), mode(&log)), (0o600, 0o600));
    assert!(refusal(&data.0).contains(&format!("process {}", process.child.id())));
    if let Some(mut held) = held {
        held.kill().unwrap();
        held.wait().unwrap();
    }
}

/// An older release that is running holds its lock for a good reason.
#[test]
fn a_running_latchkey_keeps_its_lock_whatever_its_mode() {
    let data = TempDir::new();
    let process = Process::start(&data.0);
    set_mode(&data.0.join("lock"), 0o644);
    let told = refusal(&data.0);
    assert!(
        told.contains(&format!("process {}", process.child.id())),
        "{told}"
    );
}

#[tokio::test]
async fn the_log_of_postgresql_is_private_and_bounded() {
    let data = TempDir::new();
    let (log, old) = (data.0.join("postgres.log"), data.0.join("postgres.log.1"));
    fs::write(&log, vec![b'x'; 9 << 20]).unwrap();
    let _process = Process::start(&data.0);
    let length = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    let rotated = async || length(&old) >= 9 << 20 && length(&log) < 1 << 20;
    wait_until("the old log is rotated", rotated).await;
    assert_eq!((mode(&log), mode(&old)), (0o600, 0o600));
    fs::write(&old, "").unwrap();
    let mut writer = fs::OpenOptions::new().append(true).open(&log).unwrap();
    std::io::Write::write_all(&mut writer, &vec![b'y'; 9 << 20]).unwrap();
    wait_until("and again while it runs", rotated).await;
    assert_eq!((mode(&log), mode(&old)), (0o600, 0o600));
}

/// The socket directory if the path of the data directory is too long.
fn recorded(data: &Path) -> PathBuf {
    PathBuf::from(fs::read_to_string(data.join("sockets")).unwrap())
}

#[tokio::test]
async fn the_socket_directory_cannot_be_claimed_before_us() {
    use sha2::{Digest, Sha256};
    let place = TempDir::new();
    let data = place.0.join("long".repeat(25));
    // The name that an older release used, which anyone could work out.
    let digest = Sha256::digest(data.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let taken = PathBuf::from(format!("/tmp/latchkey-{name}"));
    fs::create_dir(&taken).unwrap();
    set_mode(&taken, 0o777);
    if let Some((uid, gid)) = stranger() {
        chown(&taken, Some(uid), Some(gid)).unwrap();
    }
    let owner = fs::metadata(&taken).unwrap().uid();
    start_and_stop(&data);
    let (first, server) = (
        recorded(&data),
        fs::metadata(data.join("postgres")).unwrap(),
    );
    assert_ne!(first, taken);
    assert_eq!(
        fs::metadata(&taken).unwrap().uid(),
        owner,
        "it is left alone"
    );
    assert_eq!(fs::read_dir(&taken).unwrap().count(), 0);
    fs::remove_dir(&taken).unwrap();
    let found = fs::symlink_metadata(&first).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o7777), (server.uid(), 0o700));

    // A replacement of the recorded directory is neither used nor touched.
    fs::remove_dir_all(&first).unwrap();
    symlink(&place.0, &first).unwrap();
    let process = Process::start(&data);
    let second = recorded(&data);
    assert_ne!(first, second);
    assert!(second.join(".s.PGSQL.5432").exists() && !place.0.join(".s.PGSQL.5432").exists());
    let listed = ended(command(&data).args(["users", "list"]));
    let told = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(listed.status.success(), "a command finds it: {told}");
    set_mode(&second, 0o777);
    let refused = ended(command(&data).args(["users", "list"]));
    assert!(!refused.status.success(), "a command does not use it");
    assert_eq!(recorded(&data), second, "and does not create another");
    drop(process);
    fs::remove_file(&first).unwrap();
    fs::remove_dir_all(&second).unwrap();
}

/// An ordinary user may have their own PostgreSQL first on PATH. Root runs nothing that others could have written.
#[test]
fn root_runs_no_program_that_another_account_could_change() {
    let (data, programs) = (TempDir::new(), TempDir::new());
    set_mode(&programs.0, 0o755);
    let marks = programs.0.join("marks");
    fs::create_dir(&marks).unwrap();
    set_mode(&marks, 0o1777);
    for name in ["postgres", "initdb", "pg_config", "id", "sh", "ps", "kill"] {
        let path = programs.0.join(name);
        let script = format!(
            "#!/bin/sh\n: > {}/{name}\necho 'postgres (PostgreSQL) 8.0'\n",
            marks.display()
        );
        let is_tool = ["id", "sh", "ps", "kill"].contains(&name);
        if is_tool && stranger().is_none() {
            continue;
        }
        fs::write(&path, script).unwrap();
        set_mode(&path, 0o755);
        if let Some((uid, gid)) = stranger() {
            chown(&path, Some(uid), Some(gid)).unwrap();
        }
    }
    if let Some((uid, gid)) = stranger() {
        chown(&programs.0, Some(uid), Some(gid)).unwrap();
    }
    let path = format!(
        "{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        programs.0.display()
    );
    let mut process = Process::spawn(command(&data.0).env("PATH", path));
    process.signal("TERM");
    process.wait();
    let ran = fs::read_dir(&marks).unwrap().flatten();
    let ran: Vec<_> = ran.map(|mark| mark.file_name()).collect();
    if stranger().is_some() {
        assert!(ran.is_empty(), "{ran:?}");
    } else {
        assert!(ran.iter().any(|name| name == "postgres"), "{ran:?}");
    }
}

#[test]
fn root_keeps_no_data_where_another_account_could_replace_it() {
    let place = TempDir::new();
    let data = place.0.join("theirs/data");
    fs::create_dir_all(&data).unwrap();
    start_and_stop(&data);
    let Some((uid, gid)) = stranger() else {
        // An ordinary user only gets a warning, because they may be alone on the machine.
        set_mode(&place.0.join("theirs"), 0o777);
        let mut process = Process::start(&data);
        process.signal("TERM");
        process.wait();
        let told = process.output.lock().unwrap().clone();
        assert!(
            told.contains("is below a directory of another account"),
            "{told}"
        );
        return;
    };
    chown(place.0.join("theirs"), Some(uid), Some(gid)).unwrap();
    let told = refusal(&data);
    assert!(
        told.contains("is below a directory of another account"),
        "{told}"
    );
}
