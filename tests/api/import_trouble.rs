//! Files that nobody should have made. Each gets a clear message, and nothing is written by halves.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::import_files::{counts, file, findings, report};
use crate::operator::{latchkey, text};
use crate::support::{App, wait_until};

/// What an import says that cannot begin. Nothing is written.
#[track_caller]
pub fn refusal(app: &App, arguments: &[&str]) -> String {
    let done = latchkey(
        app,
        &[&["users", "import", "--yes"], arguments].concat(),
        "",
    );
    assert_eq!(done.status.code(), Some(1), "{}", text(&done));
    assert!(done.stdout.is_empty(), "{}", text(&done));
    text(&done)
}

#[tokio::test]
async fn a_spreadsheet_s_csv_is_understood() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.CSV",
        "\u{feff}\"username\", email ,note\r\n\r\n\"susan\",susan@example.com,\"a \"\"b\"\",\r\nc\"\r\n\
         miguel,nonsense,\r\nanna,anna@example.com,",
    );
    let report = report(&app, &[&path, "--yes"]);
    assert_eq!(counts(&report), [2, 0, 1]);
    assert_eq!(findings(&report), ["5: email: email_invalid"]);
    assert_eq!(report["unused_columns"], serde_json::json!(["note"]));
}

#[tokio::test]
async fn lines_that_cannot_be_read_are_named_and_the_others_come() {
    let app = App::start().await;
    let mut csv = b"username,email\nsusan,susan@example.com\n".to_vec();
    csv.extend_from_slice(b"m\xfcller,mueller@example.com\n");
    csv.extend_from_slice(b"nul\0,nul@example.com\n");
    csv.extend_from_slice(b"few\n");
    csv.extend_from_slice(b"many,many@example.com,more\n");
    csv.extend_from_slice(&vec![b'x'; 10 << 20]);
    csv.extend_from_slice(b",x@example.com\nanna,anna@example.com\n");
    let (_place, path) = file("users.csv", csv);
    let report = report(&app, &[&path, "--yes"]);
    assert_eq!(counts(&report), [2, 0, 5]);
    let messages: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{}: {}", it["line"], it["message"].as_str().unwrap()))
        .collect();
    let expected = [
        "3: this is not UTF-8",
        "4: username holds a NUL",
        "5: this has 1 fields, the header has 2",
        "6: this has 3 fields, the header has 2",
        "7: this is longer than 1 MiB",
    ];
    assert_eq!(messages, expected);
}

#[tokio::test]
async fn an_open_quote_is_told_by_where_it_begins_and_ends() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.csv",
        "username,email\nsusan,\"susan@example.com\nmiguel,miguel@example.com\nanna,anna@example.com\n",
    );
    let report = report(&app, &[&path]);
    assert_eq!(counts(&report), [0, 0, 1]);
    let message = report["findings"][0]["message"].as_str().unwrap();
    assert!(report["findings"][0]["line"] == 2, "{report}");
    assert!(
        message.contains('\u{fffd}') || message.contains("quote"),
        "{message}"
    );
}

#[tokio::test]
async fn json_lines_that_are_none_are_named() {
    let app = App::start().await;
    let lines = [
        "\u{feff}{\"username\": \"susan\", \"email\": \"susan@example.com\", \"note\": {}}\r",
        "",
        "nonsense",
        "[]",
        "{\"username\": \"a\", \"email\": {}}",
        "{\"username\": \"nul\\u0000\", \"email\": \"nul@example.com\"}",
        "{\"username\": \"roles\", \"email\": \"r@example.com\", \"roles\": [\"a b\"]}",
        &format!("{{\"username\": \"{}\"}}", "x".repeat(10 << 20)),
        "{\"username\": \"anna\", \"email\": \"anna@example.com\", \"disabled\": true, \"roles\": [\"editor\"]}",
    ];
    let (_place, path) = file("users.jsonl", lines.join("\n"));
    let outcome = report(&app, &[&path, "--yes"]);
    assert_eq!(counts(&outcome), [2, 0, 6]);
    let expected = [3, 4, 5, 6, 7, 8].map(|line| format!("{line}: -: malformed"));
    assert_eq!(findings(&outcome), expected);
    let (_place, array) = file("users.jsonl", "[{\"username\": \"susan\"}]");
    assert!(refusal(&app, &[&array]).contains("JSON array"));
}

#[tokio::test]
async fn headers_that_cannot_be_used_are_refused() {
    let app = App::start().await;
    for (csv, why) in [
        ("username,password_hash\n", "there is no column email"),
        ("susan,susan@example.com\n", "line 1, the header"),
        ("username,email,email\n", "the column email is there twice"),
        ("", "there is no header"),
        ("\u{feff}", "there is no header"),
        ("username,em\0ail\n", "there is no column email"),
    ] {
        let (_place, path) = file("users.csv", csv);
        let told = refusal(&app, &[&path]);
        assert!(told.contains(why) && told.contains(&path), "{why}: {told}");
    }
    let (_place, path) = file("users.csv", b"user\xfc,email\n");
    assert!(refusal(&app, &[&path]).contains("line 1, the header: this is not UTF-8"));
    let (_place, path) = file("users.csv", "username,email\n");
    let told = refusal(&app, &[&path, "--column", "password_hash=pw"]);
    assert!(told.contains("there is no column pw"), "{told}");
    assert!(refusal(&app, &["/nowhere/users.csv"]).contains("No such file"));
    assert!(refusal(&app, &["/tmp"]).contains("this is a directory"));
    assert_eq!(app.count("select count(*) from users").await, 0);
}

#[tokio::test]
async fn fields_that_make_no_sense_are_named() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.csv",
        "username,email,created_at,email_verified,disabled,roles\n\
         anna,anna@example.com,tomorrow,,,\n\
         bert,bert@example.com,,perhaps,,\n\
         carl,carl@example.com,,,2,\n\
         dora,dora@example.com,,,,Editor\n\
         emil,,,,,\n\
         fred,fred@example.com\u{1b}[2J,,,,\n",
    );
    let report = report(&app, &[&path]);
    let expected = [
        "2: created_at: time_invalid",
        "3: email_verified: flag_invalid",
        "4: disabled: flag_invalid",
        "5: roles: role_invalid",
        "6: email: email_missing",
        "7: email: email_invalid",
    ];
    assert_eq!(findings(&report), expected);
    let shown = text(&latchkey(&app, &["users", "import", &path], ""));
    assert!(
        !shown.contains('\u{1b}'),
        "nothing for the terminal: {shown}"
    );
}

#[tokio::test]
async fn many_duplicates_are_counted_and_some_of_them_shown() {
    let app = App::start().await;
    let mut csv = "username,email\n".to_owned();
    for line in 0..20_000 {
        csv.push_str(&format!("susan{},susan@example.com\n", line % 2));
    }
    let (_place, path) = file("users.csv", csv);
    let report = report(&app, &[&path, "--yes"]);
    assert_eq!(counts(&report), [1, 0, 19_999]);
    assert_eq!(findings(&report).len(), 1000);
    let shown = text(&latchkey(&app, &["users", "import", &path], ""));
    assert!(!shown.contains("more\n"), "they are here already: {shown}");
}

#[tokio::test]
async fn a_kill_in_the_middle_leaves_nothing() {
    let app = App::start().await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["users", "import", "-", "--format", "csv", "--yes"])
        .env("DATABASE_URL", app.database.url())
        .env("LATCHKEY_DATA_DIR", app.database.data_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut csv = "username,email,roles\n".to_owned();
    for user in 0..30_000 {
        csv.push_str(&format!("user{user},user{user}@example.com,editor\n"));
    }
    input.write_all(csv.as_bytes()).unwrap();
    drop(input);
    let writing = "select count(*) from pg_stat_activity where datname = current_database() \
                   and query like '%insert into users%' and pid <> pg_backend_pid() and state = 'active'";
    wait_until("the users are being written", async || {
        app.count(writing).await > 0
    })
    .await;
    // SIGKILL.
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it was not done yet");
    let gone = "select count(*) from pg_stat_activity where datname = current_database() \
                and query like '%import_written%' and pid <> pg_backend_pid()";
    wait_until("its connection has ended", async || {
        app.count(gone).await == 0
    })
    .await;
    for table in ["users", "user_roles", "announcements"] {
        let left = app.count(&format!("select count(*) from {table}")).await;
        assert_eq!(left, 0, "{table}");
    }
    let (_place, path) = file("users.csv", csv);
    assert_eq!(counts(&report(&app, &[&path, "--yes"])), [30_000, 0, 0]);
}

#[tokio::test]
async fn large_files_are_told_of_while_they_are_read() {
    let app = App::start().await;
    let (_place, path) = file("users.jsonl", "x\n".repeat(100_000));
    let done = latchkey(&app, &["users", "import", &path], "");
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let progress = String::from_utf8(done.stderr).unwrap();
    assert!(progress.starts_with("100000 lines read\n"), "{progress}");
    let told = String::from_utf8(done.stdout).unwrap();
    assert!(told.contains("\nline 1000: ") && !told.contains("\nline 1001: "));
    assert!(told.contains("\nand 99000 more\n"), "{told}");
}

/// Runs an import of susan and miguel while somebody else is registering as susan.
async fn against_a_registration(app: &App, flags: &[&str]) -> std::process::Output {
    let connector = app.database.connector();
    let (client, _driver) = connector.connect_plainly().await.unwrap();
    let register =
        "begin; insert into users (username, email) values ('susan', 'else@example.com')";
    client.batch_execute(register).await.unwrap();
    let (_place, path) = file(
        "users.csv",
        "username,email\nSusan,susan@example.com\nmiguel,miguel@example.com\n",
    );
    let command = [&["users", "--json", "import", "--yes", &path], flags].concat();
    std::thread::scope(|scope| {
        let import = scope.spawn(|| latchkey(app, &command, ""));
        let waits = "select count(*) from pg_stat_activity where datname = current_database() \
                     and query like '%insert into users%' and wait_event_type = 'Lock'";
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                wait_until("the import waits for the registration", async || {
                    app.count(waits).await > 0
                })
                .await;
                client.batch_execute("commit").await.unwrap();
            });
        });
        import.join().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_registers_during_an_import_keeps_their_name() {
    let app = App::start().await;
    let done = against_a_registration(&app, &[]).await;
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(counts(&report), [1, 0, 1]);
    assert_eq!(findings(&report), ["2: -: registered_meanwhile"]);
    let names = app.sql("select email from users order by 1").await;
    let names: Vec<_> = names.iter().flatten().flatten().collect();
    assert_eq!(names, ["else@example.com", "miguel@example.com"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_registers_during_a_strict_import_stops_it() {
    let app = App::start().await;
    let done = against_a_registration(&app, &["--strict"]).await;
    assert_eq!(done.status.code(), Some(1), "{}", text(&done));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["written"], false);
    assert_eq!(app.count("select count(*) from users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_import_writes_at_a_time() {
    let app = App::start().await;
    let connector = app.database.connector();
    let (client, _driver) = connector.connect_plainly().await.unwrap();
    let other = "begin; select pg_advisory_xact_lock(7812453897362961012); \
                 insert into users (username, email) values ('susan', 'susan@example.com')";
    client.batch_execute(other).await.unwrap();
    let (_place, path) = file(
        "users.csv",
        "username,email\nsusan,susan@example.com\nanna,anna@example.com\n",
    );
    assert_eq!(counts(&report(&app, &[&path])), [2, 0, 0], "a dry run may");
    let waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted";
    let ending = tokio::spawn(async move {
        let mut waiting = 0;
        for _ in 0..3000 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            waiting = client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0);
            if waiting > 0 {
                break;
            }
        }
        client.batch_execute("commit").await.unwrap();
        assert_eq!(waiting, 1);
    });
    // It waits for the other one, and knows whom that has brought.
    assert_eq!(counts(&report(&app, &[&path, "--yes"])), [1, 1, 0]);
    ending.await.unwrap();
}

#[tokio::test]
async fn no_message_shows_a_hash() {
    let app = App::start().await;
    let hash = "scrypt:32768:8:1$abcdefghijklmnop$0123456789";
    for (name, content) in [
        ("users.csv", format!("susan,susan@example.com,{hash}\n")),
        (
            "users.csv",
            format!("username,email,password_hash\nsusan,{hash},susan@example.com\n"),
        ),
        (
            "users.csv",
            format!("username,email\n{hash},susan@example.com\n"),
        ),
        ("users.jsonl", format!("\"{hash}\"\n")),
    ] {
        let (_place, path) = file(name, &content);
        let done = latchkey(&app, &["users", "import", &path], "");
        assert!(!text(&done).contains("abcdefgh"), "{}", text(&done));
    }
}

#[tokio::test]
async fn a_column_that_no_line_has_is_refused() {
    let app = App::start().await;
    let line = "{\"username\": \"susan\", \"email\": \"susan@example.com\", \"pw\": \"x\"}\n";
    let (_place, path) = file("users.jsonl", line);
    let told = refusal(&app, &[&path, "--column", "password_hash=passwd"]);
    assert!(told.contains("no line has passwd"), "{told}");
}
