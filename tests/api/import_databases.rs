//! `latchkey users import --from-sqlite` and `--from-postgres`.

use rusqlite::Connection;

use crate::import_files::{counts, file, findings, report};
use crate::import_trouble::refusal;
use crate::operator::{latchkey, text};
use crate::support::process::{Process, TempDir, command};
use crate::support::{App, Database, wait_until};

/// An SQLite file.
fn sqlite(sql: &str) -> (TempDir, String) {
    let place = TempDir::new();
    let path = place.0.join("app.db");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    (place, path.to_str().unwrap().to_owned())
}

/// The table of the Flask tutorial, as Flask-SQLAlchemy makes it.
const TUTORIAL: &str = "
    create table user (
        id integer not null, username varchar(64) not null, email varchar(120) not null, password_hash varchar(256),
        about_me varchar(140), last_seen datetime, primary key (id));
    create unique index ix_user_username on user (username);
    create unique index ix_user_email on user (email);
    insert into user values
        (1, 'susan', 'susan@example.com', '$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ', 'hi', '2026-01-02 03:04:05.678901'),
        (2, 'miguel grinberg', 'miguel@example.com', null, null, null),
        (3, 'anna', 'anna@example.com', 'nonsense', null, null);";

async fn names(app: &App) -> Vec<String> {
    let names = app.sql("select username from users order by 1").await;
    names.into_iter().flatten().flatten().collect()
}

#[tokio::test]
async fn the_flask_tutorial_s_users_come() {
    let app = App::start().await;
    let (_place, path) = sqlite(TUTORIAL);
    let outcome = report(&app, &["--from-sqlite", &path, "--yes"]);
    assert_eq!(counts(&outcome), [1, 0, 2]);
    let expected = [
        "2: username: username_refused",
        "3: password_hash: hash_unknown",
    ];
    assert_eq!(findings(&outcome), expected);
    let shown = text(&latchkey(
        &app,
        &["users", "import", "--from-sqlite", &path],
        "",
    ));
    assert!(shown.contains("row 3: password_hash"), "{shown}");
    let renamed = report(&app, &["--from-sqlite", &path, "--yes", "--rename"]);
    assert_eq!(counts(&renamed), [1, 1, 1]);
    assert_eq!(names(&app).await, ["miguel-grinberg", "susan"]);
}

/// tests/foreign/flask_app.py made the file, with Flask-SQLAlchemy and Werkzeug.
#[tokio::test]
async fn the_tutorial_s_own_users_log_in_as_ever() {
    let app = App::start().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/app.db");
    let outcome = report(&app, &["--from-sqlite", path, "--yes"]);
    assert_eq!(counts(&outcome), [4, 0, 0]);
    assert_eq!(outcome["slower_hashes"], 2);
    let foreign = "select count(*) from users where foreign_hash_kib is not null";
    assert_eq!(app.count(foreign).await, 4);
    for name in ["susan", "john", "mary", "david"] {
        let visitor = app.visitor();
        let log_in = async |password: &str| {
            let form = serde_json::json!({"username": name, "password": password});
            visitor.post("/api/login", form).await
        };
        log_in("green-Lamp-42-river").await.expect(401);
        log_in(&format!("{name}-walks-9-dogs")).await.expect(200);
        let hash = format!("select password_hash from users where username = '{name}'");
        let hash = app.sql(&hash).await[0][0].clone().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m="), "{hash}");
        visitor.post("/api/logout", serde_json::json!({})).await;
        log_in(&format!("{name}-walks-9-dogs")).await.expect(200);
    }
    assert_eq!(app.count(foreign).await, 0);
}

#[tokio::test]
async fn the_start_counts_the_memory_of_imported_hashes() {
    let data = TempDir::new();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/app.db");
    let import = ["users", "import", "--from-sqlite", path, "--yes"];
    assert!(command(&data.0).args(import).status().unwrap().success());
    let process = Process::spawn(command(&data.0).env("LATCHKEY_HASH_WORKERS", "3"));
    wait_until("the log tells", async || {
        process.output.lock().unwrap().contains("at_most_mib=153")
    })
    .await;
}

#[tokio::test]
async fn django_s_columns_can_come_in_a_file() {
    let app = App::start().await;
    let (_place, path) = file(
        "users.csv",
        "id,username,email,password,is_active,date_joined,is_superuser\n\
         1,susan,susan@example.com,!abc,t,2020-01-02 03:04:05.678901+00,t\n\
         2,miguel,miguel@example.com,!abc,f,2020-01-02 03:04:05+00,f\n",
    );
    let outcome = report(&app, &[&path, "--preset", "django", "--yes"]);
    assert_eq!(counts(&outcome), [2, 0, 0]);
    assert_eq!(
        outcome["unused_columns"],
        serde_json::json!(["is_superuser"])
    );
    let disabled =
        "select count(*) from users where disabled_at is not null and username = 'miguel'";
    assert_eq!(app.count(disabled).await, 1);
}

#[tokio::test]
async fn tables_and_columns_can_be_named() {
    let app = App::start().await;
    let (_place, path) = sqlite(
        "create table \"my people\" (login text, mail text, pw text, joined text, admin integer, username blob);
         insert into \"my people\" values ('susan', 'susan@example.com', null, '2020-01-02 03:04:05', 1, x'00');",
    );
    let outcome = report(
        &app,
        &[
            "--from-sqlite",
            &path,
            "--yes",
            "--table",
            "my people",
            "--column",
            "username=login",
            "--column=email=mail",
            "--column=password_hash=pw",
            "--column=created_at=joined",
        ],
    );
    assert_eq!(counts(&outcome), [1, 0, 0]);
    assert_eq!(
        outcome["unused_columns"],
        serde_json::json!(["admin", "username"])
    );
    let year = app.count("select extract(year from created_at)::int from users");
    assert_eq!(
        (names(&app).await, year.await),
        (vec!["susan".to_owned()], 2020)
    );
}

#[tokio::test]
async fn sqlite_files_that_cannot_be_read_are_refused() {
    let app = App::start().await;
    let (_place, text) = file(
        "app.db",
        "this is no database, and it is long enough to tell",
    );
    let told = refusal(&app, &["--from-sqlite", &text]);
    assert!(told.contains("file is not a database"), "{told}");
    let told = refusal(&app, &["--from-sqlite", "/nowhere/app.db"]);
    assert!(told.contains("no such file"), "{told}");
    assert!(!std::path::Path::new("/nowhere/app.db").exists());

    let (_place, other) = sqlite("create table people (name text); create table posts (body text)");
    let told = refusal(&app, &["--from-sqlite", &other]);
    assert!(told.contains("the tables are people, posts"), "{told}");
    let told = refusal(&app, &["--from-sqlite", &other, "--table", "people"]);
    assert!(told.contains("no column email. There are: name"), "{told}");
    let (_place, empty) = file("app.db", "");
    let told = refusal(&app, &["--from-sqlite", &empty]);
    assert!(told.contains("has no tables"), "{told}");

    let (_place, locked) = sqlite(TUTORIAL);
    let holder = Connection::open(&locked).unwrap();
    holder.execute_batch("begin exclusive").unwrap();
    let told = refusal(&app, &["--from-sqlite", &locked]);
    assert!(told.contains("database is locked"), "{told}");
}

#[tokio::test]
async fn values_that_are_no_text_are_named() {
    let app = App::start().await;
    let (_place, path) = sqlite(
        "create table user (username, email, password_hash);
         insert into user values (x'ff', 'a@example.com', null), (cast(x'6dfc' as text), 'b@example.com', null),
            (hex(zeroblob(2000000)), 'c@example.com', null), ('susan', 'susan@example.com', '');",
    );
    let outcome = report(&app, &["--from-sqlite", &path]);
    assert_eq!(counts(&outcome), [1, 0, 3]);
    let expected = [1, 2, 3].map(|row| format!("{row}: -: malformed"));
    assert_eq!(findings(&outcome), expected);
}

/// Another database, with these tables.
async fn postgres(sql: &str) -> Database {
    let database = Database::empty().await;
    database.sql(sql).await;
    database
}

#[tokio::test]
async fn django_s_users_come() {
    let app = App::start().await;
    let source = postgres(
        "create table auth_user (id integer generated by default as identity primary key, password varchar(128) not null,
            last_login timestamptz, is_superuser boolean not null, username varchar(150) not null unique,
            first_name varchar(150) not null, last_name varchar(150) not null, email varchar(254) not null,
            is_staff boolean not null, is_active boolean not null, date_joined timestamptz not null);
         insert into auth_user (password, last_login, is_superuser, username, first_name, last_name, email, is_staff,
            is_active, date_joined)
         values
            ('$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ', '2026-02-03 04:05:06+02', true, 'susan', '', '',
             'susan@example.com', true, true, '2020-01-02 03:04:05.678901+00'),
            ('!unusable', null, false, 'miguel', '', '', 'miguel@example.com', false, false, '2021-01-01'),
            ('!unusable', null, false, 'nobody', '', '', '', false, true, '2021-01-01');",
    )
    .await;
    let outcome = report(&app, &["--from-postgres", &source.url(), "--yes"]);
    assert_eq!(counts(&outcome), [2, 0, 1]);
    assert_eq!(findings(&outcome), ["3: email: email_missing"]);
    assert_eq!(outcome["without_password"], 1, "Django's unusable password");
    let came = app
        .sql(
            "set timezone = 'UTC'; select username, created_at, last_login_at, disabled_at is null from users order by 2",
        )
        .await;
    let susan: Vec<_> = came[0].iter().flatten().collect();
    let expected = [
        "susan",
        "2020-01-02 03:04:05.678901+00",
        "2026-02-03 02:05:06+00",
        "t",
    ];
    assert_eq!(susan, expected);
    assert_eq!(came[1][3].as_deref(), Some("f"), "not active is disabled");
    assert_eq!(
        app.count("select count(*) from user_roles").await,
        0,
        "a superuser is nobody here"
    );
}

#[tokio::test]
async fn better_auth_s_users_come_with_the_passwords_of_another_table() {
    let app = App::start().await;
    let tables = "
        create table \"user\" (\"id\" text primary key, \"name\" text not null, \"email\" text not null unique,
            \"emailVerified\" boolean not null, \"createdAt\" timestamptz not null);
        create table \"account\" (\"id\" text primary key, \"accountId\" text not null, \"providerId\" text not null,
            \"userId\" text not null references \"user\" (\"id\"), \"password\" text);
        insert into \"user\" values ('aB3', 'Susan', 'susan@example.com', true, '2026-01-02T03:04:05Z'),
            ('cD4', 'Miguel', 'miguel@example.com', false, '2026-01-03T03:04:05Z');
        insert into \"account\" values
            ('1', 'x', 'google', 'aB3', null),
            ('2', 'aB3', 'credential', 'aB3', '$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ'),
            ('3', 'y', 'google', 'cD4', null);";
    let source = postgres(tables).await;
    let (_place, path) = sqlite(
        &tables
            .replace("boolean", "integer")
            .replace("timestamptz", "date"),
    );
    let url = source.url();
    for (from, place) in [("--from-sqlite", &path), ("--from-postgres", &url)] {
        app.sql("delete from users").await;
        let flags = [from, place, "--preset", "better-auth", "--rename", "--yes"];
        let outcome = report(&app, &flags);
        assert_eq!(counts(&outcome), [2, 0, 0], "{from}");
        assert_eq!(outcome["without_password"], 1);
        let verified =
            "select count(*) from users where email_verified_at is not null and username = 'susan'";
        assert_eq!(app.count(verified).await, 1);
        assert_eq!(names(&app).await, ["miguel", "susan"]);
    }
}

#[tokio::test]
async fn users_of_supabase_laravel_and_devise_come() {
    let app = App::start().await;
    let source = postgres(
        "create schema auth;
         create table auth.users (id uuid primary key, email varchar(255), encrypted_password varchar(255),
            email_confirmed_at timestamptz, banned_until timestamptz, created_at timestamptz, last_sign_in_at timestamptz);
         insert into auth.users values
            ('9b2f6f0e-1c1d-4b52-8d44-0f3f3a1b2c3d', 'susan@example.com', '', '2026-01-01', now() + interval '1 year', '2025-01-01', null),
            ('9b2f6f0e-1c1d-4b52-8d44-0f3f3a1b2c3e', 'miguel@example.com', '', null, '2025-01-01', '2025-01-02', null);
         create table users (id bigint, name varchar(255), email varchar(255), email_verified_at timestamp, password varchar(255),
            created_at timestamp);
         insert into users values (1, 'Anna Maier', 'anna@example.com', '2026-01-01 00:00:00', '', '2026-01-01 00:00:00');
         create table members (id bigint, email varchar, encrypted_password varchar not null default '', confirmed_at timestamp(6),
            created_at timestamp(6));
         insert into members values (1, 'bert+x@example.com', '', '2026-01-01 00:00:00.000001', '2026-01-01');",
    )
    .await;
    let url = source.url();
    let from = |more: &[&str]| {
        let flags = ["--from-postgres", &url, "--rename", "--yes"];
        report(&app, &[&flags, more].concat())
    };
    assert_eq!(counts(&from(&["--preset", "supabase"])), [2, 0, 0]);
    let banned = "select count(*) from users where disabled_at is not null and username = 'susan' \
                  and id = '9b2f6f0e-1c1d-4b52-8d44-0f3f3a1b2c3d'";
    assert_eq!(app.count(banned).await, 1);
    let disabled = app.count("select count(*) from users where disabled_at is not null");
    assert_eq!(disabled.await, 1, "a ban that is over disables nobody");
    assert_eq!(counts(&from(&["--preset", "laravel"])), [1, 0, 0]);
    assert_eq!(
        counts(&from(&["--preset", "rails", "--table", "members"])),
        [1, 0, 0]
    );
    let names = names(&app).await;
    assert_eq!(names, ["Anna-Maier", "bert-x", "miguel", "susan"]);
}

#[tokio::test]
async fn a_postgres_that_cannot_be_read_is_refused() {
    let app = App::start().await;
    let source = postgres("create table people (name text)").await;
    let told = refusal(&app, &["--from-postgres", &source.url()]);
    assert!(
        told.contains("relation \"auth_user\" does not exist"),
        "{told}"
    );
    let told = refusal(
        &app,
        &["--from-postgres", &source.url(), "--table", "people"],
    );
    assert!(told.contains("no column email. There are: name"), "{told}");
    let told = refusal(&app, &["--from-postgres", "mysql://localhost/app"]);
    assert!(told.contains("--from-postgres"), "{told}");
    let told = refusal(
        &app,
        &["--from-postgres", "postgres://u:secret@127.0.0.1:1/app"],
    );
    assert!(
        told.contains("--from-postgres") && !told.contains("secret"),
        "{told}"
    );
}
