//! `latchkey doctor` against the real server, with and without problems, and the warnings at startup.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::oidc::with_provider;
use crate::operator::latchkey;
use crate::support::process::{Process, TempDir, command};
use crate::support::provider::{File, Lies};
use crate::support::{App, PASSWORD, wait_until};

/// A server that trusts two origins, one of them on another site.
fn server(data: &Path) -> Process {
    let origins = "http://127.0.0.1:5173,https://app.example";
    Process::spawn(command(data).env("LATCHKEY_TRUSTED_ORIGINS", origins))
}

async fn doctor(data: &Path, origin: &str, url: String) -> (Option<i32>, String) {
    let mut command = command(data);
    command.args(["doctor", "--origin", origin, "--url", &url]);
    let done = tokio::task::spawn_blocking(move || command.output().unwrap());
    let Output {
        status,
        stdout,
        stderr,
    } = done.await.unwrap();
    let told = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&told).into_owned())
}

/// Forwards everything but replaces some words, like a careless proxy.
async fn meddling_proxy(server: SocketAddr, from: &'static str, to: &'static str) -> String {
    assert_eq!(from.len(), to.len());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(server).await.unwrap();
            let (near, far) = (near.into_split(), far.into_split());
            for (mut source, mut sink) in [(near.0, far.1), (far.0, near.1)] {
                tokio::spawn(async move {
                    let mut buffer = vec![0; 65_536];
                    while let Ok(length @ 1..) = source.read(&mut buffer).await {
                        let text = String::from_utf8_lossy(&buffer[..length]).replace(from, to);
                        if sink.write_all(text.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_page_that_can_log_in_passes_and_the_trial_leaves_no_trace() {
    let data = TempDir::new();
    let process = server(&data.0);
    let url = format!("http://{}", process.address);
    let (code, told) = doctor(&data.0, &url, url.clone()).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("one origin") && told.contains("All is well"),
        "{told}"
    );
    let (code, told) = doctor(&data.0, "http://127.0.0.1:5173", url.clone()).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("Preflights succeed"), "{told}");
    let listed = command(&data.0).args(["users", "list"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "");
}

/// The origin of a page that the server trusts.
const PAGE: &str = "http://127.0.0.1:5173";

/// Expects the doctor to fail with this advice.
async fn the_doctor_finds(data: &TempDir, origin: &str, url: String, expected: &str) {
    let (code, told) = doctor(&data.0, origin, url).await;
    assert_eq!(code, Some(1), "{expected}: {told}");
    for part in ["FAIL", "Fix:", expected] {
        assert!(told.contains(part), "{expected}: {told}");
    }
}

#[tokio::test]
async fn each_problem_is_reported_with_its_fix() {
    let data = TempDir::new();
    let process = server(&data.0);
    let url = format!("http://{}", process.address);
    for (origin, url, expected) in [
        (
            "http://127.0.0.1:3000",
            url.clone(),
            "LATCHKEY_TRUSTED_ORIGINS=http://127.0.0.1:3000",
        ),
        ("https://app.example", url.clone(), "different sites"),
        (PAGE, "http://127.0.0.1:1".to_owned(), "Nothing answers"),
    ] {
        the_doctor_finds(&data, origin, url, expected).await;
    }
    let elsewhere = TempDir::new();
    let (code, told) = doctor(&elsewhere.0, PAGE, url).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("settings of the server"), "{told}");
}

#[tokio::test]
async fn an_origin_without_a_scheme_is_understood_and_null_is_never_advised() {
    let data = TempDir::new();
    let process = server(&data.0);
    let url = format!("127.0.0.1:{}", process.address.port());
    let (code, told) = doctor(&data.0, "127.0.0.1:5173", url.clone()).await;
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = doctor(&data.0, "localhost:5173", url.clone()).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("A page of http://localhost:5173 and"),
        "{told}"
    );
    assert!(
        told.contains("LATCHKEY_TRUSTED_ORIGINS=http://localhost:5173"),
        "{told}"
    );
    for origin in ["null", "file:///home/susan/index.html"] {
        let (code, told) = doctor(&data.0, origin, url.clone()).await;
        assert_eq!(code, Some(2), "{told}");
        assert!(!told.contains("TRUSTED_ORIGINS"), "{told}");
    }
}

#[tokio::test]
async fn all_problems_are_reported_at_once() {
    let (data, elsewhere) = (TempDir::new(), TempDir::new());
    let process = server(&data.0);
    let url = format!("http://{}", process.address);
    let (code, told) = doctor(&elsewhere.0, "https://stranger.example", url).await;
    assert_eq!(code, Some(1), "{told}");
    for expected in [
        "LATCHKEY_TRUSTED_ORIGINS=https://stranger.example",
        "different sites",
        "cannot create a user for the trial",
        "latchkey: 3 problems keep people",
    ] {
        assert_eq!(told.matches(expected).count(), 1, "{expected}: {told}");
    }
}

#[test]
fn the_help_lists_only_what_is_the_doctors_own() {
    let data = TempDir::new();
    let help = command(&data.0)
        .args(["doctor", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let options = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--"));
    let options: Vec<_> = options
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(options, ["origin", "url"], "{help}");
    assert!(help.contains("latchkey serve --help"), "{help}");
}

#[tokio::test]
async fn headers_that_a_proxy_drops_are_reported_with_the_fix() {
    let data = TempDir::new();
    let process = server(&data.0);
    for (header, renamed, expected) in [
        ("origin: ", "x-igin: ", "OPTIONS"),
        ("set-cookie", "x-t-cookie", "Set-Cookie"),
        ("HttpOnly", "HttpOmit", "HttpOnly"),
        ("\r\ncookie: ", "\r\nx-okie: ", "pass Cookie on"),
        ("x-request-id", "x-t-quest-id", "not Latchkey"),
    ] {
        let url = meddling_proxy(process.address, header, renamed).await;
        the_doctor_finds(&data, PAGE, url, expected).await;
    }
    let url = meddling_proxy(process.address, "sec-fetch-site", "x-c-fetch-site").await;
    let (code, told) = doctor(&data.0, PAGE, url).await;
    assert_eq!(code, Some(0), "Origin alone is enough: {told}");
}

#[tokio::test]
async fn startup_logs_the_hash_memory_and_warns_about_doubtful_settings() {
    let data = TempDir::new();
    let process = Process::spawn(
        command(&data.0)
            .env("LATCHKEY_PUBLIC_URL", "https://login.example.com")
            .env(
                "LATCHKEY_TRUSTED_ORIGINS",
                "https://app.example.com,https://app.example.org",
            )
            .env("LATCHKEY_RATE_LIMITS", "off")
            .env("LATCHKEY_HASH_WORKERS", "3"),
    );
    let form = json!({"username": "susan", "password": PASSWORD});
    for _ in 0..5 {
        let request = process
            .visitor()
            .request(reqwest::Method::POST, "/api/login");
        let request = request.header("x-forwarded-for", "192.0.2.1").json(&form);
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    let log = process.output.lock().unwrap().clone();
    for told in [
        "at_most_mib=57",
        "https://app.example.org are on another site",
        "LATCHKEY_TRUSTED_PROXIES is not set",
        "LATCHKEY_RATE_LIMITS is off",
        "X-Forwarded-For is ignored: 127.0.0.1",
    ] {
        assert_eq!(log.matches(told).count(), 1, "{told}: {log}");
    }
    assert!(
        !log.contains("https://app.example.com are on another site"),
        "{log}"
    );
}

#[tokio::test]
async fn an_interrupted_doctor_leaves_no_user_behind() {
    let data = TempDir::new();
    let server = server(&data.0);
    // The proxy stalls once the user exists, so the doctor waits for its login.
    let url = stalling_proxy(server.address).await;
    for signal in ["TERM", "INT", "HUP"] {
        let mut command = command(&data.0);
        command.args(["doctor", "--origin", "http://127.0.0.1:5173", "--url", &url]);
        let mut child = command.spawn().unwrap();
        let users = async || {
            let listed = crate::support::process::command(&data.0)
                .args(["users", "list"])
                .output()
                .unwrap();
            String::from_utf8_lossy(&listed.stdout).into_owned()
        };
        wait_until("its user exists", async || {
            users().await.contains("doctor-")
        })
        .await;
        let told = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status()
            .unwrap();
        assert!(told.success());
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap())
            .await
            .unwrap();
        assert!(
            ended.code().is_some_and(|code| code > 128),
            "{signal}: {ended}"
        );
        assert_eq!(users().await, "", "{signal}");
    }
}

/// Forwards everything until the doctor's user logs in, and nothing after that.
async fn stalling_proxy(server: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let far = TcpStream::connect(server).await.unwrap();
                let ((mut from_near, mut to_near), (mut from_far, mut to_far)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut from_far, &mut to_near).await });
                let mut buffer = vec![0; 65_536];
                while let Ok(length @ 1..) = from_near.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer[..length]);
                    if text.contains("doctor-") {
                        std::future::pending::<()>().await;
                    }
                    to_far.write_all(&buffer[..length]).await.unwrap();
                }
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn the_doctor_compares_the_domain_of_passkeys_and_counts_those_that_nobody_can_use() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    for _ in 0..3 {
        susan.add_passkey().await;
    }
    app.sql(
        "update passkeys set rp_id = 'old.example' where id in (select id from passkeys limit 2)",
    )
    .await;
    let url = format!("http://localhost:{}", app.address.port());
    let ask = |settings: &[&str]| {
        let always = ["doctor", "--origin", "http://localhost:8080", "--url", &url];
        let done = latchkey(&app, &[&always, settings].concat(), "");
        String::from_utf8(done.stdout).unwrap()
    };
    let told = ask(&["--public-url=http://localhost:8080"]);
    let here = "Passkeys belong to localhost, and pages of http://localhost:8080 may use them";
    assert!(told.contains(here), "{told}");
    let lost = "2 passkeys belong to another domain than localhost: nobody can use them any more";
    assert!(told.contains(lost), "{told}");
    let told = ask(&["--public-url=http://127.0.0.1:8080"]);
    assert!(
        told.contains("Passkeys are off: http://127.0.0.1:8080 has an IP address"),
        "{told}"
    );
    let told = ask(&["--passkeys=off"]);
    assert!(told.contains("LATCHKEY_PASSKEYS is off"), "{told}");
    let told = ask(&["--passkey-rp-id=app.example"]);
    assert!(
        told.contains("FAIL  LATCHKEY_PASSKEY_RP_ID=app.example"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_each_provider() {
    let (app, provider, file) = with_provider(&[]).await;
    let url = format!("http://localhost:{}", app.address.port());
    let ask = |file: &File| {
        let public = format!("--public-url={url}");
        let always = [
            "doctor", "--origin", &url, "--url", &url, &public, &file.flag,
        ];
        let done = latchkey(&app, &always, "");
        String::from_utf8([done.stdout, done.stderr].concat()).unwrap()
    };
    let told = ask(&file);
    let good = format!(
        "The acme ({}) says where people log in. It must know {url}/api/oidc/acme/callback",
        provider.issuer
    );
    assert!(told.contains(&good), "{told}");
    provider.lie(Lies {
        metadata: json!({"issuer": "https://other.example"}),
        ..Lies::default()
    });
    let told = ask(&file);
    assert!(
        told.contains("FAIL  Nobody can log in with The acme")
            && told.contains("https://other.example"),
        "{told}"
    );
    provider.die();
    let told = ask(&file);
    assert!(
        told.contains("FAIL  Nobody can log in with The acme"),
        "{told}"
    );
}
