//! The file `.env` in the working directory, and misspelt variables.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::SECRET_KEY;
use crate::support::process::{Process, TempDir, command, ended};

/// A server in a directory with this `.env`.
fn beside(text: &str) -> (TempDir, TempDir, Command) {
    let (data, folder) = (TempDir::new(), TempDir::new());
    fs::write(folder.0.join(".env"), text).unwrap();
    let mut command = command(&data.0);
    command.current_dir(&folder.0);
    (data, folder, command)
}

fn refused(mut command: Command) -> String {
    refused_with(&mut command)
}

fn refused_with(command: &mut Command) -> String {
    let done = ended(command);
    assert!(!done.status.success());
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[test]
fn the_file_sets_what_the_environment_and_the_command_line_do_not() {
    let text = format!(
        "# mine\nLATCHKEY_APP_NAME='From the file'\nLATCHKEY_LISTEN=192.0.2.1:80\nLATCHKEY_PUBLIC_URL=http://localhost:1\n\
         LATCHKEY_TRUSTED_ORIGINS=http://localhost:3000,https://app.example\nLATCHKEY_SECRET_KEY={SECRET_KEY}\nPORT=3000\n"
    );
    let (_data, folder, mut command) = beside(&text);
    command.args(["--public-url", "http://localhost:2"]);
    let process = Process::spawn(&mut command);
    let told = process.output.lock().unwrap().clone();
    assert!(told.contains("Open http://localhost:2/"), "{told}");
    assert!(
        told.contains("https://app.example are on another site"),
        "both origins: {told}"
    );
    let file = folder.0.canonicalize().unwrap().join(".env");
    assert!(told.contains("read settings from a file"), "{told}");
    assert!(told.contains(&file.display().to_string()), "{told}");
    for hidden in [SECRET_KEY, "From the file"] {
        assert!(!told.contains(hidden), "no values: {told}");
    }
    let config = config_of(&process);
    assert!(config.contains("From the file"), "{config}");
}

/// `GET /api/config`
fn config_of(process: &Process) -> String {
    let url = format!("http://{}/api/config", process.address);
    let done = Command::new("curl").args(["-s", &url]).output().unwrap();
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn the_help_shows_no_value_of_the_file() {
    let (_data, _folder, mut command) =
        beside("LATCHKEY_SECRET_KEY=river-42\nDATABASE_URL=river-42\n");
    let help = command.args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains(".env"), "it mentions the file: {help}");
    assert!(!help.contains("river-42"), "{help}");
}

#[test]
fn a_key_in_the_environment_beats_a_key_file_in_the_file() {
    let (_data, _folder, mut command) = beside("LATCHKEY_SECRET_KEY_FILE=/nowhere\n");
    Process::spawn(command.env("LATCHKEY_SECRET_KEY", SECRET_KEY));
    let text = format!("LATCHKEY_SECRET_KEY_FILE=/nowhere\nLATCHKEY_SECRET_KEY={SECRET_KEY}\n");
    let (_data, _folder, command) = beside(&text);
    let told = refused(command);
    assert!(told.contains("sets both LATCHKEY_SECRET_KEY and"), "{told}");
}

#[test]
fn a_file_that_others_can_write_or_nobody_understands_is_refused() {
    let (_data, folder, command) = beside("LATCHKEY_LISTEN=0\n");
    let file = folder.0.join(".env");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let told = refused(command);
    assert!(told.contains("other accounts may change"), "{told}");
    assert!(told.contains("chmod go-w"), "{told}");
    let (_data, _folder, command) = beside("PORT=1\nLATCHKEY_SECRET_KEY river-42\n");
    let told = refused(command);
    assert!(told.contains(".env, line 2: write NAME=value"), "{told}");
    assert!(!told.contains("river-42"), "{told}");
    let (_data, _folder, command) = beside("LATCHKEY_RATE_LIMITS=false\n");
    let told = refused(command);
    assert!(told.contains("'LATCHKEY_RATE_LIMITS' in '.env'"), "{told}");
}

#[test]
fn misspelt_variables_are_named_with_the_right_ones_and_do_no_harm() {
    let (_data, _folder, mut command) = beside("LATCHKEY_TRUSTED_ORIGIN=x\nPUBLIC_URL=x\n");
    command
        .env("LATCHKEY_PUBLC_URL", "x")
        .env("LATCHKEY_ZZZ", "x")
        .env("LATCHKEY_PORT_8080_TCP_PORT", "8080")
        .env("LATCHKEY_DATABASE_URL", "x");
    let process = Process::spawn(&mut command);
    let told = process.output.lock().unwrap().clone();
    for expected in [
        "LATCHKEY_TRUSTED_ORIGIN is no setting of Latchkey: did you mean LATCHKEY_TRUSTED_ORIGINS?",
        "LATCHKEY_PUBLC_URL is no setting of Latchkey: did you mean LATCHKEY_PUBLIC_URL?",
        "LATCHKEY_DATABASE_URL is no setting of Latchkey: did you mean DATABASE_URL?",
        "LATCHKEY_ZZZ is no setting of Latchkey: latchkey serve --help lists all",
    ] {
        assert_eq!(told.matches(expected).count(), 1, "{expected}: {told}");
    }
    assert_eq!(told.matches("is no setting").count(), 4, "{told}");
}

#[test]
fn other_commands_name_misspelt_variables_too() {
    let data = TempDir::new();
    let mut command = command(&data.0);
    let done = command
        .arg("openapi")
        .env("LATCHKEY_DATADIR", "x")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    assert!(told.contains("did you mean LATCHKEY_DATA_DIR?"), "{told}");
}

#[test]
fn a_database_in_the_environment_beats_one_in_the_file() {
    let (_data, _folder, mut command) = beside("DATABASE_URL_FILE=/nowhere\n");
    command.env("LATCHKEY_SECRET_KEY", SECRET_KEY);
    let told = refused_with(command.env("DATABASE_URL", "postgres://a:b@127.0.0.1:1/x"));
    assert!(
        told.contains("127.0.0.1:1") && !told.contains("nowhere"),
        "{told}"
    );
    let (_data, _folder, command) =
        beside("DATABASE_URL_FILE=/nowhere\nDATABASE_URL=postgres://a@b/c\n");
    let told = refused(command);
    assert!(told.contains(".env sets both DATABASE_URL"), "{told}");
}

#[test]
fn what_is_no_file_of_settings_is_left_alone() {
    let others = "export PORT\nOTHER: x\nNAME='it is\nLATCHKEY_APP_NAME=mine\n";
    let (_data, _folder, mut command) = beside(others);
    drop(Process::spawn(&mut command));
    for make in ["mkfifo", "mkdir"] {
        let (_data, folder, mut command) = beside("");
        let file = folder.0.join(".env");
        fs::remove_file(&file).unwrap();
        assert!(Command::new(make).arg(&file).status().unwrap().success());
        drop(Process::spawn(&mut command));
    }
    let (_data, _folder, command) = beside(&"A=1\n".repeat(20_000));
    assert!(refused(command).contains("is larger than"));
}

/// In a directory of a stranger, a link may lead to a file of root's whose text the stranger chose.
#[test]
fn a_link_or_a_directory_of_another_account_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (_data, folder, command) = beside("LATCHKEY_LISTEN=0\n");
    let file = folder.0.join(".env");
    fs::rename(&file, folder.0.join("roots")).unwrap();
    std::os::unix::fs::symlink("roots", &file).unwrap();
    std::os::unix::fs::lchown(&file, Some(65534), None).unwrap();
    let told = refused(command);
    assert!(told.contains("another account can change"), "{told}");
    // Whoever owns the directory can put another file there.
    let (_data, folder, command) = beside("LATCHKEY_LISTEN=0\n");
    std::os::unix::fs::chown(&folder.0, Some(65534), None).unwrap();
    let told = refused(command);
    assert!(told.contains("another account can change"), "{told}");
}
