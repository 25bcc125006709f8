//! `latchkey users export`: people can leave, and what it writes can come back.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::import_files::{counts, file, report};
use crate::operator::{latchkey, text, told};
use crate::support::App;
use crate::support::process::TempDir;

const KEPT: &str = "select id, username, email, pending_email, password_hash, created_at, email_verified_at, disabled_at, \
    last_login_at, array(select full_name from user_roles where user_id = users.id order by 1) from users order by id";

async fn people(app: &App) {
    app.logged_in("susan").await;
    app.registered("miguel").await;
    app.sql(
        "update users set email_verified_at = now(), disabled_at = '2026-01-02 03:04:05.678901' where username = 'miguel'; \
         insert into user_roles (user_id, role, area) select id, 'editor', 'media/7' from users; \
         insert into user_roles (user_id, role) select id, 'admin' from users where username = 'susan'; \
         insert into users (username, pending_email) values ('unproven', 'unproven@example.com')",
    )
    .await;
}

#[tokio::test]
async fn what_is_exported_comes_back_as_it_was() {
    let (app, other) = (App::start().await, App::start().await);
    people(&app).await;
    let place = TempDir::new();
    let path = place.0.join("users.jsonl");
    let path = path.to_str().unwrap();
    let shown = told(&app, &["users", "export", path, "--with-hashes"]);
    assert_eq!(shown, format!("Exported 3 users to {path}.\n"));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        counts(&report(&other, &[path, "--yes", "--strict"])),
        [3, 0, 0]
    );
    assert_eq!(other.sql(KEPT).await, app.sql(KEPT).await);
    other.visitor().log_in("susan").await.expect(200);
    assert_eq!(counts(&report(&other, &[path, "--yes"])), [0, 3, 0]);
}

#[tokio::test]
async fn hashes_leave_only_when_that_is_asked_for() {
    let (app, other) = (App::start().await, App::start().await);
    people(&app).await;
    let lines = told(&app, &["users", "export"]);
    assert_eq!(lines.lines().count(), 3);
    assert!(
        !lines.contains("hash") && !lines.contains("argon2"),
        "{lines}"
    );
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["username"], "susan");
    assert_eq!(first["roles"], json!(["admin", "editor:media/7"]));
    let command = [
        "users", "--json", "import", "-", "--format", "jsonl", "--yes",
    ];
    let done = latchkey(&other, &command, &lines);
    assert!(done.status.success(), "{}", text(&done));
    let none = "select count(*) from users where password_hash is null";
    assert_eq!(other.count(none).await, 3);
    let json = told(&app, &["users", "--json", "export"]);
    assert_eq!(json, lines, "it is JSON anyway");
}

#[tokio::test]
async fn everybody_leaves_however_many_registered_at_once() {
    let app = App::start().await;
    app.sql(
        "insert into users (username, email, created_at) \
         select 'user' || n, 'user' || n || '@example.com', '2026-01-01' from generate_series(1, 2500) n",
    )
    .await;
    let lines = told(&app, &["users", "export"]);
    let mut names: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 2500);
}

#[test]
fn any_user_makes_a_round_trip() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (app, other) = runtime.block_on(async { (App::start().await, App::start().await) });
    let name = "[A-Za-z0-9._-]{8,20}";
    let local = "[a-z0-9\u{e0}-\u{f6}+_-]{1,20}";
    let role = "[a-z][a-z0-9_-]{0,9}(:[a-z0-9]{1,5}){0,1}";
    let roles = prop::collection::btree_set(
        role.prop_filter("reserved", |role| {
            !role.starts_with("user") && !role.starts_with("admin")
        }),
        0..4,
    );
    let user = (
        name,
        local,
        roles,
        any::<[bool; 3]>(),
        0..4_000_000_000_000_000_i64,
    );
    let users = prop::collection::vec(user, 1..20);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(8));
    runner
        .run(&users, |users| {
            let lines: String = users
                .iter()
                .map(|(name, local, roles, [verified, disabled, login], micros)| {
                    let at = chrono::DateTime::from_timestamp_micros(*micros);
                    let line = json!({"username": name, "email": format!("{local}@example.com"), "created_at": at, "roles": roles,
                        "email_verified": verified, "disabled": disabled.then_some(at), "last_login_at": login.then_some(at)});
                    format!("{line}\n")
                })
                .collect();
            let (_place, path) = file("users.jsonl", lines);
            report(&app, &[&path, "--yes"]);
            let exported = told(&app, &["users", "export"]);
            let (_place, path) = file("users.jsonl", &exported);
            report(&other, &[&path, "--yes"]);
            let (here, there) = runtime.block_on(async { (app.sql(KEPT).await, other.sql(KEPT).await) });
            runtime.block_on(async { (app.sql("delete from users").await, other.sql("delete from users").await) });
            prop_assert_eq!(here, there);
            prop_assert_eq!(exported.lines().count() > 0, true);
            Ok(())
        })
        .unwrap();
}
