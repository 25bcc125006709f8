//! The binary with its own PostgreSQL: start, stop, kill, restart.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use latchkey::store::local::error::LocalError;
use serde_json::json;

use crate::support::process::{Process, TempDir, command, ended};
use crate::support::{App, Database, PASSWORD, SECRET_KEY, wait_until};

fn postmaster(data_dir: &Path) -> Option<String> {
    let file = std::fs::read_to_string(data_dir.join("postgres/data/postmaster.pid")).ok()?;
    let pid = file.lines().next()?.to_owned();
    Path::new(&format!("/proc/{pid}/cmdline"))
        .exists()
        .then_some(pid)
}

async fn register(process: &Process, name: &str) {
    let form =
        json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    process
        .visitor()
        .post("/api/register", form)
        .await
        .expect(201);
}

#[tokio::test]
async fn it_starts_stops_and_keeps_users_and_sessions() {
    let data = TempDir::new();
    let mut first = Process::start(&data.0);
    register(&first, "susan").await;
    let susan = first.visitor();
    susan.log_in("susan").await.expect(200);
    first.signal("TERM");
    assert_eq!(first.wait().code(), Some(0));
    assert_eq!(postmaster(&data.0), None, "its PostgreSQL stopped with it");
    let mut second = Process::start(&data.0);
    assert!(susan.at(second.address).is_logged_in().await);
    second.signal("INT");
    assert_eq!(second.wait().code(), Some(0));
    assert_eq!(postmaster(&data.0), None);
}

#[tokio::test]
async fn after_kill_9_it_restarts_with_everything_it_acknowledged() {
    let data = TempDir::new();
    for round in 0..3 {
        let mut process = Process::start(&data.0);
        for earlier in 0..round {
            process
                .visitor()
                .log_in(&format!("user{earlier}"))
                .await
                .expect(200);
        }
        register(&process, &format!("user{round}")).await;
        process.signal("KILL");
        process.wait();
    }
    wait_until("the orphaned PostgreSQL stopped by itself", async || {
        postmaster(&data.0).is_none()
    })
    .await;
}

#[tokio::test]
async fn a_second_start_names_the_running_process_and_does_no_harm() {
    let data = TempDir::new();
    let first = Process::start(&data.0);
    register(&first, "susan").await;
    let second = ended(&mut command(&data.0));
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        told.contains(&format!("another Latchkey (process {})", first.child.id())),
        "{told}"
    );
    first.visitor().log_in("susan").await.expect(200);
}

#[tokio::test]
async fn at_sigterm_ready_fails_and_requests_under_way_are_answered() {
    let data = TempDir::new();
    let mut process = Process::spawn(command(&data.0).env("LATCHKEY_RATE_LIMITS", "off"));
    register(&process, "susan").await;
    let (visitors, balancer) = (
        (0..50).map(|_| process.visitor()).collect::<Vec<_>>(),
        process.visitor(),
    );
    balancer.get("/health/ready").await.expect(200);
    let logins = visitors.iter().map(|visitor| visitor.log_in("susan"));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        process.signal("TERM");
        wait_until("ready fails", async || {
            balancer.get("/health/ready").await.status == 503
        })
        .await;
    };
    let (replies, ()) = tokio::join!(futures_util::future::join_all(logins), stop);
    assert!(replies.iter().all(|reply| reply.status == 200));
    drop((visitors, balancer));
    assert_eq!(process.wait().code(), Some(0));
}

#[tokio::test]
async fn a_start_that_waits_for_migrations_says_so() {
    let (database, data) = (Database::create().await, TempDir::new());
    let mut config = tokio_postgres::Config::new();
    config.host_path(database.sockets()).user("latchkey");
    config.dbname(database.name());
    let (other, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let lock = format!("select pg_advisory_lock({})", 0x6c61_7463_686b_6579_i64);
    other.batch_execute(&lock).await.unwrap();
    let mut command = command(&data.0);
    command
        .env("DATABASE_URL", database.url())
        .env("LATCHKEY_SECRET_KEY", SECRET_KEY);
    let start = tokio::task::spawn_blocking(move || Process::spawn(&mut command));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!start.is_finished(), "it did not wait");
    connection.abort();
    let process = start.await.unwrap();
    let log = process.output.lock().unwrap().clone();
    let told = log.matches("another instance is migrating").count();
    assert_eq!(told, 1, "{log}");
    process.visitor().get("/health/ready").await.expect(200);
}

/// Repeated refusals are counted and written once a minute, so a server that stops has some left to write.
#[tokio::test]
async fn at_sigterm_the_last_events_are_written() {
    for _ in 0..5 {
        let (database, data) = (Database::create().await, TempDir::new());
        let mut command = command(&data.0);
        command
            .env("DATABASE_URL", database.url())
            .env("LATCHKEY_SECRET_KEY", SECRET_KEY);
        let mut process = Process::spawn(&mut command);
        // Connections that the workers open, more than the background work needs.
        let visitor = process.visitor();
        let wrong = json!({"username": "susan", "password": "wrong-Password-9"});
        let tries = (0..40).map(|_| visitor.post("/api/login", wrong.clone()));
        let replies = futures_util::future::join_all(tries).await;
        let refused = replies.iter().filter(|reply| reply.status == 429).count();
        assert!(refused >= 30, "{refused}");
        process.signal("TERM");
        assert_eq!(process.wait().code(), Some(0));
        let log = process.output.lock().unwrap().clone();
        assert!(!log.contains("could not be written"), "{log}");
        let written = "select sum(count) from security_events where kind = 'limit_hit'";
        let written = database.sql(written).await[0][0].clone().unwrap();
        assert_eq!(written, refused.to_string());
    }
}

/// As when the log collector behind a pipe dies: a failed write must not break the server.
#[tokio::test]
async fn it_serves_and_stops_even_if_nobody_reads_its_log() {
    let data = TempDir::new();
    let mut unread = command(&data.0);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut process = Process::spawn_logging_to(&mut unread, writer);
    drop(reader);
    register(&process, "susan").await;
    process.visitor().log_in("susan").await.expect(200);
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
}

#[tokio::test]
async fn commands_use_the_database_of_a_running_server() {
    let data = TempDir::new();
    let process = Process::start(&data.0);
    register(&process, "susan").await;
    let listed = command(&data.0).args(["users", "list"]).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("susan@example.com"));
    process.visitor().log_in("susan").await.expect(200);
}

#[tokio::test]
async fn its_postgresql_is_restarted_when_it_is_killed() {
    let data = TempDir::new();
    let process = Process::start(&data.0);
    register(&process, "susan").await;
    let pid = postmaster(&data.0).unwrap();
    assert!(
        Command::new("kill")
            .args(["-9", &pid])
            .status()
            .unwrap()
            .success()
    );
    let visitor = process.visitor();
    wait_until("the database is back", async || {
        visitor.log_in("susan").await.status == 200
    })
    .await;
    assert!(visitor.is_logged_in().await);
}

#[tokio::test]
async fn the_log_of_a_whole_run_contains_no_password_and_no_cookie() {
    let data = TempDir::new();
    let mut process = Process::spawn(command(&data.0).env("LATCHKEY_LOG", "trace"));
    register(&process, "susan").await;
    let susan = process.visitor();
    let cookie = susan.log_in("susan").await.session_cookie();
    susan.get("/api/me").await.expect(200);
    susan
        .post(
            "/api/login?x=1",
            json!({"username": PASSWORD, "password": PASSWORD}),
        )
        .await
        .expect(409);
    susan
        .post_raw(
            "/api/password/change",
            format!("{{\"current_password\": \"{PASSWORD}\""),
        )
        .await
        .expect(400);
    susan.log_out().await.expect(204);
    process.signal("TERM");
    process.wait();
    let log = process.output.lock().unwrap().clone();
    assert!(
        log.contains("logged_in") && log.contains("registered") && log.contains("logged_out"),
        "{log}"
    );
    let key = &cookie[cookie.len() - 64..];
    let signature = &cookie["latchkey_session=".len()..cookie.len() - 64];
    for secret in [PASSWORD, key, signature] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
    let server_log = std::fs::read_to_string(data.0.join("postgres.log")).unwrap();
    assert!(!server_log.contains(PASSWORD) && !server_log.contains(key));
}

#[tokio::test]
async fn a_database_url_requires_a_strong_key() {
    let app = App::start().await;
    let url = app.database.url();
    let data = TempDir::new();
    let start = |key: Option<&str>| {
        let mut command = command(&data.0);
        command.env("DATABASE_URL", &url);
        key.map(|key| command.env("LATCHKEY_SECRET_KEY", key));
        command
    };
    for weak in [
        None,
        Some("short"),
        Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ] {
        let refused = ended(&mut start(weak));
        assert_eq!(refused.status.code(), Some(1));
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            told.contains("LATCHKEY_SECRET_KEY") && told.contains("openssl rand -hex 32"),
            "{told}"
        );
    }
    let process = Process::spawn(&mut start(Some(SECRET_KEY)));
    register(&process, "susan").await;
    assert!(
        !data.0.join("postgres").exists(),
        "no local PostgreSQL was created"
    );
    let susan = process.visitor();
    susan.log_in("susan").await.expect(200);
    assert!(
        susan.at(app.address).is_logged_in().await,
        "same key, same database: the same session"
    );
}

#[tokio::test]
async fn two_processes_with_one_key_and_one_database_share_sessions_and_logouts() {
    let database = Database::create().await;
    let data = TempDir::new();
    let start = || {
        let mut command = command(&data.0);
        command
            .env("DATABASE_URL", database.url())
            .env("LATCHKEY_SECRET_KEY", SECRET_KEY);
        Process::spawn(&mut command)
    };
    let (a, b) = (start(), start());
    register(&a, "susan").await;
    let mut fastest = Duration::MAX;
    for _ in 0..10 {
        let susan = a.visitor();
        susan.log_in("susan").await.expect(200);
        let there = susan.at(b.address);
        assert!(there.is_logged_in().await);
        susan.log_out().await.expect(204);
        let ended = std::time::Instant::now();
        wait_until("the other process is notified", async || {
            !there.is_logged_in().await
        })
        .await;
        fastest = fastest.min(ended.elapsed());
        assert!(!there.is_logged_in().await);
    }
    // The fault suite measures the slowest. This shows that a notification arrives at all.
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

#[tokio::test]
async fn with_another_secret_key_old_cookies_are_anonymous_and_people_can_log_in_again() {
    let database = Database::create().await;
    let data = TempDir::new();
    let start = |key: &str| {
        let mut command = command(&data.0);
        command
            .env("DATABASE_URL", database.url())
            .env("LATCHKEY_SECRET_KEY", key);
        Process::spawn(&mut command)
    };
    let before = start(SECRET_KEY);
    register(&before, "susan").await;
    let susan = before.visitor();
    susan.log_in("susan").await.expect(200);
    let after = start(&SECRET_KEY.replace('0', "1"));
    let susan_then = susan.at(after.address);
    assert!(!susan_then.is_logged_in().await);
    assert!(susan.is_logged_in().await);
    susan_then.log_in("susan").await.expect(200);
    assert!(susan_then.is_logged_in().await);
    assert!(!susan.is_logged_in().await);
}

/// A setting, its value, and the fix that the error names.
const IMPOSSIBLE: &[(&str, &str, &str)] = &[
    (
        "LATCHKEY_SECRET_KEY_OLD",
        "only-short",
        "LATCHKEY_SECRET_KEY_OLD is too weak",
    ),
    ("LATCHKEY_PUBLIC_URL", "ftp://example.com", "https://"),
    (
        "LATCHKEY_PUBLIC_URL",
        "https://example.com/app",
        "scheme, host and port only",
    ),
    (
        "LATCHKEY_PUBLIC_URL",
        "https://a.example?",
        "host and port only",
    ),
    (
        "LATCHKEY_PUBLIC_URL",
        "https://a.example/#x",
        "host and port only",
    ),
    ("LATCHKEY_PUBLIC_URL", "login.example", "https://"),
    ("LATCHKEY_TRUSTED_ORIGINS", "*", "list each origin"),
    (
        "LATCHKEY_PAGES",
        "login=//evil.example",
        "must be a path of your app",
    ),
    ("LATCHKEY_ARGON2", "m=1024,t=1,p=1", "weaker than OWASP"),
    ("LATCHKEY_SESSION_IDLE", "48h", "LATCHKEY_SESSION_MAX"),
    ("LATCHKEY_SESSION_IDLE", "soon", "30m, 12h"),
    ("LATCHKEY_TRUSTED_PROXIES", "everybody", "10.0.0.0/8"),
    (
        "LATCHKEY_TRUSTED_PROXIES",
        "0.0.0.0/0",
        "name the addresses",
    ),
    (
        "LATCHKEY_TRUSTED_PROXIES",
        "10.0.0.1,::/0",
        "name the addresses",
    ),
    ("LATCHKEY_ARGON2", "m=1048576,t=2,p=1", "too costly"),
    ("LATCHKEY_ARGON2", "m=19456,t=20,p=1", "too costly"),
    ("LATCHKEY_PASSWORD_MIN_LENGTH", "4", "8..=64"),
    (
        "DATABASE_URL",
        "postgres://localhost/x?sslmode=maybe",
        "verify-full",
    ),
];

#[test]
fn impossible_settings_are_refused_with_the_fix() {
    let data = TempDir::new();
    for (name, value, fix) in IMPOSSIBLE {
        let mut command = command(&data.0);
        command.env("LATCHKEY_SECRET_KEY", SECRET_KEY);
        let refused = ended(command.env(name, value));
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && told.contains(fix),
            "{name}={value}: {told}"
        );
    }
}

#[test]
fn a_url_with_credentials_is_refused_without_repeating_the_password() {
    let data = TempDir::new();
    let addresses = [
        "https://susan:river-42@login.example",
        "https://:river-42@login.example",
        "https://susan:river-42@login.example/app?x#y",
        "https://susan:river-42@login.example:99999",
        "https://susan@login.example",
    ];
    let settings = [
        "--public-url",
        "--trusted-origins",
        "doctor --url",
        "doctor --origin",
    ];
    for (address, setting) in addresses.iter().flat_map(|a| settings.map(|s| (a, s))) {
        let mut command = command(&data.0);
        if setting == "doctor --url" {
            command.args(["doctor", "--origin", "https://app.example", "--url"]);
        } else {
            command.args(setting.split(' '));
        }
        // If the address were accepted, the weak key would stop the start.
        command.arg(address).env("LATCHKEY_SECRET_KEY", "short");
        let refused = ended(&mut command);
        let told = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{setting} {address}: {told}"
        );
        let option = setting.rsplit(' ').next().unwrap();
        assert!(
            told.contains(option) && told.contains("host and port only"),
            "{setting} {address}: {told}"
        );
        assert!(!told.contains("river-42"), "{setting} {address}: {told}");
    }
}

#[test]
fn an_http_origin_is_refused_for_an_https_server() {
    let data = TempDir::new();
    let mut command = command(&data.0);
    command.env("LATCHKEY_PUBLIC_URL", "https://login.example.com");
    let origins = "http://localhost:5173,http://app.example.com";
    let refused = command
        .env("LATCHKEY_TRUSTED_ORIGINS", origins)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{told}");
    assert!(
        told.contains("LATCHKEY_TRUSTED_ORIGINS=http://app.example.com")
            && told.contains("https://"),
        "{told}"
    );
}

#[test]
fn the_error_for_missing_postgresql_programs_names_what_to_install() {
    let told = LocalError::NoPrograms.to_string();
    for word in [
        "apt-get install postgresql",
        "dnf install postgresql-server",
        "brew install postgresql",
        "DATABASE_URL",
    ] {
        assert!(told.contains(word), "{told}");
    }
}
