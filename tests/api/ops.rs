//! The operations listener: where it listens, and what it offers.

use std::net::SocketAddr;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::metrics::{FLAGS, Scrape, ops};
use crate::support::process::{Process, TempDir, command, ended};
use crate::support::{App, Visitor, document, wait_until};

#[tokio::test]
async fn metrics_are_not_for_the_public_and_their_listener_offers_nothing_else() {
    let app = App::with(&FLAGS).await;
    let public = app.visitor().get("/metrics").await;
    public.refused(404, "not_found");
    let ops = ops(&app);
    ops.get("/health/live").await.expect(200);
    ops.get("/health/ready").await.expect(200);
    let document = document()["paths"].as_object().unwrap();
    let paths = document.keys().filter(|path| !path.starts_with("/health"));
    let pages = [
        "/",
        "/dev/mailbox",
        "/swagger-ui/",
        "/debug",
        "/metrics/",
        "/reload",
    ];
    for path in paths.map(String::as_str).chain(pages) {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let reply = ops
                .client
                .request(method.clone(), ops.url(path))
                .send()
                .await
                .unwrap();
            assert_eq!(reply.status(), 404, "{method} {path}");
            let body: Value = reply.json().await.unwrap();
            assert_eq!(body["code"], "not_found", "{method} {path}");
        }
    }
    for path in ["/metrics", "/health/live", "/health/ready"] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let reply = ops
                .client
                .request(method.clone(), ops.url(path))
                .send()
                .await
                .unwrap();
            assert_eq!(
                reply.status(),
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
        }
    }
    let requests = Scrape::at(&app).await;
    assert!(
        !requests.0.contains("route=\"/metrics\""),
        "it watches itself"
    );
}

#[tokio::test]
async fn without_the_setting_there_is_no_listener() {
    let app = App::start().await;
    assert_eq!(app.ops, None);
    app.visitor()
        .get("/metrics")
        .await
        .refused(404, "not_found");
}

/// The address that the greeting names.
fn greeted(process: &Process) -> SocketAddr {
    let output = process.output.lock().unwrap().clone();
    let (_, rest) = output
        .split_once("Metrics     http://")
        .expect("a line for metrics");
    rest.split('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_greeting_names_the_listener_which_answers_until_the_server_stops() {
    let data = TempDir::new();
    let listen = ("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0");
    let mut process = Process::spawn(command(&data.0).env(listen.0, listen.1));
    wait_until("it has greeted", async || {
        process.output.lock().unwrap().contains("Stop with Ctrl-C")
    })
    .await;
    let ops = Visitor::new(greeted(&process));
    assert_ne!(ops.address, process.address);
    Scrape::of(ops.address).await;
    process.signal("TERM");
    wait_until("it says that it is about to stop", async || {
        ops.get("/health/ready").await.status == 503
    })
    .await;
    drop(ops);
    assert_eq!(process.wait().code(), Some(0));
    assert!(!process.output.lock().unwrap().contains("not a loopback"));
}

#[test]
fn a_listener_where_the_public_comes_in_is_refused() {
    let data = TempDir::new();
    for (public, metrics) in [
        ("127.0.0.1:39217", "127.0.0.1:39217"),
        ("127.0.0.1:39217", "0.0.0.0:39217"),
        ("0.0.0.0:39217", "127.0.0.1:39217"),
        ("[::]:39217", "127.0.0.1:39217"),
    ] {
        let mut command = command(&data.0);
        command.env("LATCHKEY_LISTEN", public);
        let done = ended(command.env("LATCHKEY_METRICS_LISTEN", metrics));
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{told}");
        let start = format!("LATCHKEY_METRICS_LISTEN={metrics} is where the public comes in");
        assert!(
            told.contains(&start) && told.contains("choose another port"),
            "{told}"
        );
    }
}

#[test]
fn a_listener_that_others_reach_is_warned_of_and_a_taken_one_refused() {
    let data = TempDir::new();
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = ended(command(&data.0).env("LATCHKEY_METRICS_LISTEN", &address));
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(
        told.contains(&format!(
            "LATCHKEY_METRICS_LISTEN={address} is not a loopback address"
        )),
        "{told}"
    );
    assert!(
        told.contains(&format!(
            "LATCHKEY_METRICS_LISTEN: cannot listen on {address}"
        )),
        "{told}"
    );
}
