//! `latchkey health`, which containers and supervisors run.

use std::process::{Command, Output};

use crate::support::process::{Process, TempDir, command, ended};
use crate::support::proxy::Line;
use crate::support::{App, SECRET_KEY, wait_until};

fn health(listen: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["health", "--listen", listen])
        .args(more)
        // A proxy for the world outside is not asked.
        .env("http_proxy", "http://127.0.0.1:9")
        .output()
        .unwrap()
}

fn says(done: &Output) -> (Option<i32>, String) {
    let text = [&*done.stdout, &*done.stderr].concat();
    (done.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_server_that_runs_is_healthy_and_one_that_has_ended_is_not() {
    let data = TempDir::new();
    let mut process = Process::spawn(command(&data.0).env("LATCHKEY_LISTEN", "0.0.0.0:0"));
    let port = process.address.port();
    for listen in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}")] {
        for more in [&[][..], &["--ready"]] {
            assert_eq!(says(&health(&listen, more)), (Some(0), String::new()));
        }
    }
    process.signal("TERM");
    process.wait();
    let (code, told) = says(&health(&format!("0.0.0.0:{port}"), &[]));
    assert_eq!(code, Some(1));
    assert!(
        told.contains(&format!("http://127.0.0.1:{port}/health/live: ")),
        "{told}"
    );
}

#[tokio::test]
async fn without_its_database_it_is_live_and_not_ready() {
    let (app, mut line) = App::behind_proxy(Line::Good, &[]).await;
    let listen = app.address.to_string();
    line.close().await;
    wait_until("it is not ready", async || {
        let listen = listen.clone();
        let asked = tokio::task::spawn_blocking(move || health(&listen, &["--ready"]));
        let (code, told) = says(&asked.await.unwrap());
        code == Some(1) && told.contains("/health/ready: 503")
    })
    .await;
    let asked = tokio::task::spawn_blocking(move || health(&listen, &[]));
    assert_eq!(says(&asked.await.unwrap()), (Some(0), String::new()));
}

#[tokio::test]
async fn the_url_of_the_database_may_be_in_a_file() {
    let app = App::start().await;
    let data = TempDir::new();
    let file = data.0.join("url");
    let start = || {
        let mut command = command(&data.0);
        command
            .env("DATABASE_URL_FILE", &file)
            .env("LATCHKEY_SECRET_KEY", SECRET_KEY);
        command
    };
    let (code, told) = says(&ended(&mut start()));
    assert_eq!(code, Some(1));
    assert!(told.contains("DATABASE_URL_FILE: "), "{told}");
    std::fs::write(&file, app.database.url() + "\n").unwrap();
    let (code, told) = says(&ended(start().env("DATABASE_URL", "postgres://x")));
    assert_eq!(code, Some(2));
    assert!(told.contains("cannot be used with"), "{told}");
    let (_, told) = says(&ended(start().env_remove("LATCHKEY_SECRET_KEY")));
    assert!(told.contains("every instance needs the same key"), "{told}");
    let process = Process::spawn(&mut start());
    assert!(!data.0.join("postgres").exists(), "no private PostgreSQL");
    app.registered("susan").await;
    process.visitor().log_in("susan").await.expect(200);
    let done = Command::new(env!("CARGO_BIN_EXE_latchkey"))
        .args(["users", "list"])
        .env("DATABASE_URL_FILE", &file)
        .env_remove("DATABASE_URL")
        .output();
    assert!(says(&done.unwrap()).1.contains("susan"));
}

#[test]
fn another_server_is_not_taken_for_latchkey() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = other.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        std::io::Write::write_all(&mut stream, answer).unwrap();
    });
    let (code, told) = says(&health(&listen, &[]));
    answering.join().unwrap();
    assert_eq!(code, Some(1));
    assert!(told.contains("this is not Latchkey"), "{told}");
}
