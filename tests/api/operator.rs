//! `latchkey users`, as an operator runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{App, PASSWORD, wait_until};

/// Runs the command against the app's database, with `input` on standard input.
pub fn latchkey(app: &App, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(arguments)
        .env("DATABASE_URL", app.database.url())
        .env("LATCHKEY_DATA_DIR", app.database.data_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

pub fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What a command prints, which must succeed.
#[track_caller]
pub fn told(app: &App, arguments: &[&str]) -> String {
    let done = latchkey(app, arguments, "");
    assert!(done.status.success(), "{arguments:?}: {}", text(&done));
    String::from_utf8(done.stdout).unwrap()
}

/// The same with `--json`.
#[track_caller]
pub fn as_json(app: &App, arguments: &[&str]) -> Value {
    let (command, rest) = arguments.split_first().unwrap();
    let with_json = [&[command, "--json"], rest].concat();
    serde_json::from_str(&told(app, &with_json)).unwrap()
}

#[track_caller]
pub fn refused(done: &Output, why: &str) {
    assert_eq!((done.status.code(), &*text(done)), (Some(1), why));
    assert!(done.stdout.is_empty());
}

#[tokio::test]
async fn the_first_user_is_added_from_a_shell() {
    let app = App::start().await;
    let done = latchkey(
        &app,
        &["users", "add", "susan", "susan@example.com"],
        &format!("{PASSWORD}\n"),
    );
    assert!(done.status.success(), "{}", text(&done));
    app.visitor().log_in("susan").await.expect(200);
    let again = latchkey(
        &app,
        &["users", "add", "SUSAN", "other@example.com"],
        &format!("{PASSWORD}\n"),
    );
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again).contains("username: Please use a different username."),
        "{}",
        text(&again)
    );
    let weak = latchkey(
        &app,
        &["users", "add", "miguel", "miguel@example.com"],
        "miguelmiguel\n",
    );
    assert!(text(&weak).contains("too easy to guess"), "{}", text(&weak));
}

#[tokio::test]
async fn users_are_listed_and_shown_without_their_hashes() {
    let app = App::start().await;
    app.logged_in("susan").await;
    for arguments in [
        &["users", "list"][..],
        &["users", "show", "susan"],
        &["users", "show", "susan@example.com"],
    ] {
        let shown = text(&latchkey(&app, arguments, ""));
        assert!(
            shown.contains("susan@example.com") && !shown.contains("argon2"),
            "{shown}"
        );
    }
    let nobody = latchkey(&app, &["users", "show", "nobody"], "");
    assert_eq!(
        (nobody.status.code(), text(&nobody).as_str()),
        (Some(1), "latchkey: no user nobody\n")
    );
}

#[tokio::test]
async fn programs_get_json() {
    let app = App::start().await;
    let as_json = |arguments: &[&str], input: &str| -> serde_json::Value {
        let done = latchkey(&app, &[&["users", "--json"], arguments].concat(), input);
        assert!(done.status.success(), "{arguments:?}: {}", text(&done));
        serde_json::from_slice(&done.stdout).unwrap()
    };
    let added = as_json(
        &["add", "susan", "susan@example.com"],
        &format!("{PASSWORD}\n"),
    );
    let shown = as_json(&["show", "susan"], "");
    assert_eq!(shown, added);
    let expected = json!({
        "id": shown["id"],
        "username": "susan",
        "email": "susan@example.com",
        "email_verified_at": null,
        "created_at": shown["created_at"],
        "last_login_at": null,
        "disabled_at": null,
        "second_factor_required": false,
        "roles": [],
    });
    assert_eq!(shown, expected);
    assert_eq!(as_json(&["list"], ""), json!([expected]));
    app.visitor().log_in("susan").await.expect(200);
    let person = json!({"id": shown["id"], "username": "susan"});
    let mut ended = person.clone();
    ended["sessions_ended"] = 1.into();
    assert_eq!(as_json(&["revoke-sessions", "susan"], ""), ended);
    for command in ["disable", "enable", "unlock"] {
        assert_eq!(as_json(&[command, "susan"], ""), person, "{command}");
    }
    assert_eq!(as_json(&["delete", "susan", "--yes"], ""), person);
    assert_eq!(as_json(&["list"], ""), json!([]));
}

#[tokio::test]
async fn disabling_revoking_and_a_new_password_end_sessions_on_the_running_server() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    assert!(
        latchkey(&app, &["users", "disable", "susan"], "")
            .status
            .success()
    );
    wait_until("the session is dead", async || !susan.is_logged_in().await).await;
    susan.log_in("susan").await.refused(403, "account_disabled");
    assert!(
        latchkey(&app, &["users", "enable", "susan"], "")
            .status
            .success()
    );
    susan.log_in("susan").await.expect(200);
    let done = latchkey(&app, &["users", "revoke-sessions", "susan"], "");
    assert!(
        text(&done).contains("Sessions ended: 1."),
        "{}",
        text(&done)
    );
    wait_until("the session is dead", async || !susan.is_logged_in().await).await;
    susan.log_in("susan").await.expect(200);
    assert!(
        latchkey(
            &app,
            &["users", "set-password", "susan"],
            "seven-Boats-under-9-moons\n"
        )
        .status
        .success()
    );
    wait_until("the session is dead", async || !susan.is_logged_in().await).await;
    let form = json!({"username": "susan", "password": "seven-Boats-under-9-moons"});
    susan.post("/api/login", form).await.expect(200);
}

#[test]
fn passwords_cannot_be_arguments() {
    let help = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["users", "add", "--help"])
        .output()
        .unwrap();
    assert!(
        text(&help).contains("<USERNAME> <EMAIL>"),
        "{}",
        text(&help)
    );
    let extra = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["users", "add", "a", "b", "c"])
        .output()
        .unwrap();
    assert_eq!(extra.status.code(), Some(2));
}

#[tokio::test]
async fn deleting_a_user_needs_confirmation_and_removes_all_their_data() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    app.registered("miguel").await;
    let unasked = latchkey(&app, &["users", "delete", "susan"], "y\n");
    assert_eq!(unasked.status.code(), Some(1));
    assert!(text(&unasked).contains("--yes"), "{}", text(&unasked));
    assert!(susan.is_logged_in().await);
    let done = latchkey(&app, &["users", "delete", "Susan@Example.com", "--yes"], "");
    assert!(done.status.success(), "{}", text(&done));
    assert!(text(&done).contains("susan is deleted."));
    wait_until("their session has ended", async || {
        !susan.is_logged_in().await
    })
    .await;
    for (table, left) in [
        ("users", 1),
        ("sessions", 0),
        ("known_networks", 0),
        ("security_events", 1),
    ] {
        assert_eq!(
            app.count(&format!("select count(*) from {table}")).await,
            left,
            "{table}"
        );
    }
    let nobody = latchkey(&app, &["users", "delete", "susan", "--yes"], "");
    assert_eq!(nobody.status.code(), Some(1));
}

#[tokio::test]
async fn an_account_is_unlocked_and_deleted_by_programs() {
    let app = App::with(&["--rate-limits=on"]).await;
    let susan = app.registered("susan").await;
    let id = app.sql("select id from users").await[0][0].clone();
    let person = json!({"id": id, "username": "susan"});
    let wrong = json!({"username": "susan", "password": "wrong-Password-9"});
    wait_until("the account is locked", async || {
        susan.post("/api/login", wrong.clone()).await.status == 429
    })
    .await;
    assert_eq!(as_json(&app, &["users", "unlock", "susan"]), person);
    susan.log_in("susan").await.expect(200);
    let unlocked = "select count(*) from security_events where kind = 'unlocked'";
    assert_eq!(app.count(unlocked).await, 1);
    let unasked = latchkey(&app, &["users", "--json", "delete", "susan"], "y\n");
    refused(
        &unasked,
        "latchkey: there is no terminal to ask for confirmation, and this cannot be undone: add --yes\n",
    );
    let by_address = ["users", "delete", "susan@example.com", "--yes"];
    assert_eq!(as_json(&app, &by_address), person);
    assert_eq!(app.count("select count(*) from users").await, 0);
    for command in [&["delete", "--yes"][..], &["unlock"]] {
        let nobody = [&["users", "--json"], command, &["susan"]].concat();
        refused(&latchkey(&app, &nobody, ""), "latchkey: no user susan\n");
    }
}
