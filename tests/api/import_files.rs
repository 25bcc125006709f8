//! `latchkey users import FILE`, as an operator runs it.

use std::process::Command;

use serde_json::{Value, json};

use crate::operator::{latchkey, text, told};
use crate::support::process::TempDir;
use crate::support::{App, Database, PASSWORD};

/// A file in a directory of its own.
pub fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, String) {
    let place = TempDir::new();
    let path = place.0.join(name);
    std::fs::write(&path, content).unwrap();
    (place, path.to_str().unwrap().to_owned())
}

/// The report of an import with these flags, which must succeed.
#[track_caller]
pub fn report(app: &App, arguments: &[&str]) -> Value {
    let command = [&["users", "--json", "import"], arguments].concat();
    serde_json::from_str(&told(app, &command)).unwrap()
}

/// `line: field: reason` of each finding.
pub fn findings(report: &Value) -> Vec<String> {
    let finding = |it: &Value| {
        let field = it["field"].as_str().unwrap_or("-");
        format!(
            "{}: {field}: {}",
            it["line"],
            it["reason"].as_str().unwrap()
        )
    };
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(finding).collect()
}

/// How many would come or came, are here already, and cannot come.
pub fn counts(report: &Value) -> [u64; 3] {
    ["come", "here_already", "cannot_come"].map(|count| report[count].as_u64().unwrap())
}

async fn users(app: &App) -> i64 {
    app.count("select count(*) from users").await
}

/// A hash of [`PASSWORD`], as the server made it.
async fn hash(app: &App) -> String {
    app.registered("somebody").await;
    let found = app.sql("select password_hash from users").await;
    app.sql("delete from users").await;
    found[0][0].clone().unwrap()
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_says_how_to_import() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.csv",
        "username,email\nsusan,susan@example.com\nmiguel,nonsense\n",
    );
    let done = latchkey(&app, &["users", "import", &path], "");
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let told = String::from_utf8(done.stdout).unwrap();
    for part in [
        "line 3: email: \"nonsense\" is not a valid address",
        "        1  would come\n",
        "        1  cannot come\n",
        "dry run: nothing is written",
        "--yes",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(users(&app).await, 0);
    let left = app
        .count("select count(*) from pg_class where relname like 'import%'")
        .await;
    assert_eq!(left, 0, "no table stays");
}

#[tokio::test]
async fn people_log_in_with_their_old_passwords() {
    let app = App::start().await;
    let hash = hash(&app).await;
    let line = json!({"username": "susan", "email": "susan@example.com", "password_hash": hash});
    let (_place, path) = file("users.jsonl", format!("{line}\n"));
    let report = report(&app, &[&path, "--yes"]);
    assert_eq!(counts(&report), [1, 0, 0]);
    assert_eq!(report["hashes"], json!({"argon2id": 1}));
    app.visitor().log_in("susan").await.expect(200);
    let events = app.sql("select kind from security_events").await;
    assert_eq!(events, [[Some("logged_in".to_owned())]]);
}

#[tokio::test]
async fn an_import_announces_nobody() {
    // No server runs here that would take announcements away.
    let database = Database::create().await;
    let (_place, path) = file(
        "users.csv",
        "username,email,roles\nsusan,susan@example.com,editor viewer\n",
    );
    let done = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["users", "import", "--yes", &path])
        .env("DATABASE_URL", database.url())
        .env("LATCHKEY_DATA_DIR", database.data_dir())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", text(&done));
    let count = "select (select count(*) from announcements), (select count(*) from user_roles)";
    let counted = database.sql(count).await;
    assert_eq!(counted[0], ["0", "2"].map(|it| Some(it.to_owned())));
    database.sql("delete from user_roles").await;
    let counted = database.sql(count).await;
    assert_eq!(counted[0][0].as_deref(), Some("2"), "a change announces");
}

#[tokio::test]
async fn everything_that_a_source_knows_is_kept() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.csv",
        "id,username,email,created_at,email_verified,disabled,roles,last_login_at,password_hash\n\
         9b2f6f0e-1c1d-4b52-8d44-0f3f3a1b2c3d,susan,Susan@Example.com,2020-01-02 03:04:05.25,2020-01-03T00:00:00+01:00,\
         0,editor editor:media/7,2026-02-01T00:00:00Z,\n\
         17,miguel,miguel@example.com,,t,2026-01-01 00:00:00,,,\n",
    );
    assert_eq!(counts(&report(&app, &[&path, "--yes"])), [2, 0, 0]);
    let kept = app
        .sql(
            "set timezone = 'UTC'; select id, email, created_at, email_verified_at, disabled_at, last_login_at, \
             array(select full_name from user_roles where user_id = users.id order by 1) \
             from users order by created_at",
        )
        .await;
    let susan: Vec<_> = kept[0].iter().map(Option::as_deref).collect();
    let expected = [
        Some("9b2f6f0e-1c1d-4b52-8d44-0f3f3a1b2c3d"),
        Some("Susan@example.com"),
        Some("2020-01-02 03:04:05.25+00"),
        Some("2020-01-02 23:00:00+00"),
        None,
        Some("2026-02-01 00:00:00+00"),
        Some("{editor,editor:media/7}"),
    ];
    assert_eq!(susan, expected);
    assert_ne!(kept[1][0].as_deref(), Some("17"), "a number is no id");
    assert!(kept[1][3].is_some(), "verified since the import");
    assert_eq!(kept[1][4].as_deref(), Some("2026-01-01 00:00:00+00"));
    let disabled = app.visitor();
    let form = json!({"username": "miguel", "password": PASSWORD});
    disabled.post("/api/login", form).await.expect(401);
}

#[tokio::test]
async fn an_import_can_be_repeated() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.csv",
        "id,username,email\n\
         9b2f6f0e-1c1d-4b52-8d44-0f3f3a1b2c3d,susan,susan@example.com\n\
         ,ann maier,ann@example.com\n",
    );
    let first = report(&app, &[&path, "--yes", "--rename"]);
    assert_eq!(counts(&first), [2, 0, 0]);
    let again = report(&app, &[&path, "--yes", "--rename"]);
    assert_eq!(counts(&again), [0, 2, 0]);
    app.sql("update users set email = 'SUSAN.NEW@example.com' where username = 'susan'")
        .await;
    app.sql("update users set email = upper(email) where username <> 'susan'")
        .await;
    let later = report(&app, &[&path, "--yes", "--strict"]);
    assert_eq!(
        counts(&later),
        [0, 2, 0],
        "by id, and by address in any case"
    );
    assert_eq!(users(&app).await, 2);
}

#[tokio::test]
async fn of_two_duplicates_the_first_comes() {
    let app = App::start().await;
    app.registered("taken").await;
    let (_place, path) = file(
        "users.csv",
        "id,username,email\n\
         9b2f6f0e-1c1d-4b52-8d44-0f3f3a1b2c3d,susan,susan@example.com\n\
         ,SUSAN,other@example.com\n\
         ,miguel,Susan@Example.COM\n\
         9b2f6f0e-1c1d-4b52-8d44-0f3f3a1b2c3d,third,third@example.com\n\
         ,Taken,new@example.com\n\
         ,fourth,OTHER@example.com\n",
    );
    let report = report(&app, &[&path, "--yes"]);
    assert_eq!(counts(&report), [2, 0, 4]);
    let expected = [
        "3: username: duplicate_username",
        "4: email: duplicate_email",
        "5: id: duplicate_id",
        "6: username: username_taken",
    ];
    assert_eq!(findings(&report), expected);
    assert!(
        report["findings"][0]["message"]
            .as_str()
            .unwrap()
            .contains("line 2")
    );
    let names = app.sql("select username from users order by 1").await;
    let names: Vec<_> = names.iter().flatten().flatten().collect();
    // The address of the refused line 3 is free for line 7.
    assert_eq!(names, ["fourth", "susan", "taken"]);
}

#[tokio::test]
async fn names_are_made_only_when_that_is_asked_for() {
    let app = App::start().await;
    app.registered("ann-maier-2").await;
    let (_place, path) = file(
        "users.csv",
        "username,email\n\
         ann maier,a@example.com\n\
         ann-maier,b@example.com\n\
         ann!maier,c@example.com\n\
         ,ann.maier@example.com\n\
         admin,d@example.com\n\
         \u{674e}\u{660e},e@example.com\n",
    );
    let dry = report(&app, &[&path]);
    assert_eq!(counts(&dry), [1, 0, 5]);
    assert_eq!(
        dry["findings"][0]["message"],
        "Latchkey refuses \"ann maier\"; --rename makes it ann-maier-4"
    );
    let expected = [
        "2: username: username_refused",
        "4: username: username_refused",
        "5: username: username_missing",
        "6: username: username_refused",
        "7: username: username_refused",
    ];
    assert_eq!(findings(&dry), expected);
    let renamed = report(&app, &[&path, "--rename", "--yes"]);
    assert_eq!(counts(&renamed), [6, 0, 0]);
    assert_eq!(renamed["renamed"], 5);
    let names = app
        .sql("select username from users where username <> 'ann-maier-2' order by email")
        .await;
    let names: Vec<_> = names.iter().flatten().flatten().collect();
    let expected = [
        "ann-maier-4",
        "ann.maier",
        "ann-maier",
        "ann-maier-3",
        "user-admin",
        "user",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_strict_import_writes_all_or_nobody() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.csv",
        "username,email\nsusan,susan@example.com\nmiguel,nonsense\n",
    );
    let refused = latchkey(&app, &["users", "import", &path, "--yes", "--strict"], "");
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(
        text(&refused).contains("line 3: email"),
        "{}",
        text(&refused)
    );
    assert!(text(&refused).contains("nothing is written"));
    assert_eq!(users(&app).await, 0);
    let counted = report(&app, &[&path, "--yes"]);
    assert_eq!((counts(&counted), users(&app).await), ([1, 0, 1], 1));
}

#[tokio::test]
async fn standard_input_is_a_file_too() {
    let app = App::start().await;
    let csv = "username,email\nsusan,susan@example.com\n";
    let unclear = latchkey(&app, &["users", "import", "-"], csv);
    assert!(text(&unclear).contains("--format"), "{}", text(&unclear));
    let command = ["users", "import", "-", "--format", "csv", "--yes"];
    let done = latchkey(&app, &command, csv);
    assert!(done.status.success(), "{}", text(&done));
    assert_eq!(users(&app).await, 1);
}

#[tokio::test]
async fn a_hash_of_werkzeug_is_taken_and_one_that_is_too_costly_is_not() {
    let app = App::start().await;
    let hex = "0".repeat(128);
    let (_place, path) = file(
        "users.csv",
        format!(
            "username,email,password_hash\n\
             susan,susan@example.com,scrypt:32768:8:1$abcdefghijklmnop${hex}\n\
             miguel,miguel@example.com,scrypt:1073741824:8:1$abcdefghijklmnop${hex}\n\
             anna,anna@example.com,md5$abc\n"
        ),
    );
    let report = report(&app, &[&path, "--yes"]);
    let expected = [
        "3: password_hash: hash_too_costly",
        "4: password_hash: hash_unknown",
    ];
    assert_eq!(findings(&report), expected);
    assert_eq!(report["hashes"], json!({"scrypt of Werkzeug": 1}));
    assert_eq!(report["slower_hashes"], 1);
    let kib = app.count("select foreign_hash_kib from users").await;
    assert!(kib >= 32 * 1024, "{kib}");
}

#[tokio::test]
async fn roles_come_as_they_are_and_administrators_are_counted() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.jsonl",
        "{\"username\": \"susan\", \"email\": \"susan@example.com\", \"roles\": [\"null\", \"admin\", \"null:null\"]}\n",
    );
    let report = report(&app, &[&path, "--yes"]);
    assert_eq!(counts(&report), [1, 0, 0]);
    assert_eq!(report["administrators"], 1);
    let roles = app.sql("select full_name from user_roles order by 1").await;
    let roles: Vec<_> = roles.into_iter().flatten().flatten().collect();
    assert_eq!(roles, ["admin", "null", "null:null"]);
}

#[tokio::test]
async fn a_second_import_knows_whoever_changed_the_address_here() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.csv",
        "id,email\n7,susan@example.com\n8,miguel@example.com\n",
    );
    let import = [&*path, "--rename", "--yes"];
    assert_eq!(counts(&report(&app, &import)), [2, 0, 0]);
    app.sql("update users set email = 'new@example.com' where email like 'susan%'")
        .await;
    assert_eq!(counts(&report(&app, &import)), [0, 2, 0]);
}
