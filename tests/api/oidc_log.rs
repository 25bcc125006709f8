//! What the real process writes and uses while people come and go with providers.

use futures_util::future::join_all;
use serde_json::json;

use crate::oidc::{choose, in_vain, leave, place, start, susan, travel};
use crate::support::process::{Process, TempDir, command};
use crate::support::provider::{CLIENT_SECRET, File, Lies, Provider, Trouble, file};
use crate::support::wait_until;

async fn process() -> (Process, Provider, File, TempDir) {
    let (provider, data) = (Provider::start().await, TempDir::new());
    let file = file(&[("acme", &provider, "")]);
    let path = file.flag.split_once('=').unwrap().1;
    let mut command = command(&data.0);
    command
        .env("LATCHKEY_RATE_LIMITS", "off")
        .env("LATCHKEY_PUBLIC_URL", "http://localhost:8080")
        .env("LATCHKEY_LOG", "debug,latchkey=trace")
        .env("LATCHKEY_OIDC_PROVIDERS", path);
    (Process::spawn(&mut command), provider, file, data)
}

/// I7, I9: even with everything that can be logged.
#[tokio::test]
async fn the_log_holds_no_token_and_quotes_the_provider() {
    let (process, provider, _file, _data) = process().await;
    let visitor = process.visitor();
    let url = leave(&visitor, json!({"intent": "login"})).await;
    let back = provider.log_in(&url, susan());
    let state = url.split("state=").nth(1).unwrap()[..64].to_owned();
    let code = back.split("code=").nth(1).unwrap()[..32].to_owned();
    place(&visitor.get(&back).await);
    choose(&visitor, json!({"username": "susan"}))
        .await
        .expect(200);
    let other = process.visitor();
    let url = leave(&other, json!({"intent": "login"})).await;
    let evil = [
        ("error", "access_denied"),
        ("error_description", "no\r\nlogged_in \u{1b}[31m way"),
    ];
    in_vain(&other.get(&provider.back(&url, &evil)).await, "oidc_denied");
    provider.lie(Lies {
        claims: json!({"nonce": "of another"}),
        ..Lies::default()
    });
    in_vain(&travel(&other, &provider, susan()).await, "oidc_failed");
    let log = process.output.lock().unwrap().clone();
    for secret in ["never-kept", "eyJ", CLIENT_SECRET, &state, &code] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(
        log.contains(r"access_denied: no\r\nlogged_in \u{1b}[31m way"),
        "{log}"
    );
    assert!(
        log.lines()
            .any(|line| line.contains("provider=\"acme\"") && line.contains("Denied")),
        "{log}"
    );
    assert!(
        !log.lines().any(|line| line.starts_with("logged_in")),
        "{log}"
    );
}

/// Why a provider cannot be used, once a minute, whatever it says.
#[tokio::test]
async fn the_log_says_why_a_provider_is_not_available() {
    let (process, provider, _file, _data) = process().await;
    let evil = format!("https://evil.example/\u{1b}[31m{}", "x".repeat(5000));
    provider.lie(Lies {
        metadata: json!({"issuer": evil}),
        ..Lies::default()
    });
    for _ in 0..3 {
        let refused = start(&process.visitor(), json!({"intent": "login"})).await;
        refused.refused(503, "provider_unavailable");
    }
    let said = async || process.output.lock().unwrap().contains("unexpected issuer");
    wait_until("it says why", said).await;
    let log = process.output.lock().unwrap().clone();
    let lines: Vec<_> = log
        .lines()
        .filter(|it| it.contains("provider_unavailable"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(!log.contains('\u{1b}') && lines[0].len() < 800, "{log}");
}

/// I10.
#[tokio::test]
async fn endless_answers_take_no_memory() {
    let (process, provider, _file, _data) = process().await;
    let memory = || {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap()
            .to_owned();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1024
    };
    travel(&process.visitor(), &provider, susan()).await;
    let before = memory();
    provider.lie(Lies {
        trouble: Some(("/token", Trouble::Endless)),
        ..Lies::default()
    });
    for _ in 0..3 {
        join_all((0..30).map(async |_| {
            let back = travel(&process.visitor(), &provider, susan()).await;
            in_vain(&back, "oidc_unavailable");
        }))
        .await;
    }
    let more = memory().saturating_sub(before);
    assert!(more < 64, "{more} MiB more");
}
