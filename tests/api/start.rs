//! What a newcomer meets at the start: where to go, and which settings follow from others.

use std::net::TcpListener;

use reqwest::Method;
use serde_json::json;

use crate::support::PASSWORD;
use crate::support::process::{Process, TempDir, command, ended};

/// Starts with this address to listen on, and returns what it prints.
fn listening_on(address: &str) -> (TempDir, Process, String) {
    let data = TempDir::new();
    let process = Process::spawn(command(&data.0).env("LATCHKEY_LISTEN", address));
    let told = process.output.lock().unwrap().clone();
    (data, process, told)
}

#[tokio::test]
async fn links_lead_to_the_port_that_it_listens_on_unless_a_public_url_is_set() {
    let (_data, process, told) = listening_on("localhost:0");
    let here = format!("http://localhost:{}", process.address.port());
    assert!(process.address.ip().is_loopback(), "{told}");
    assert!(told.contains(&format!("Open {here}/")), "{told}");
    assert!(told.contains(&format!("{here}/dev/mailbox")), "{told}");
    assert!(told.contains("127.0.0.1 is another site"), "{told}");
    let visitor = process.visitor();
    let form = json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD});
    let request = visitor.request(Method::POST, "/api/register").json(&form);
    let origin = request.header("origin", &here);
    let site = origin.header("sec-fetch-site", "same-site");
    let sent = site.send().await.unwrap();
    assert_eq!(sent.status(), 201, "its own pages may use the API");
    let allowed = sent.headers()["access-control-allow-origin"].to_str();
    assert_eq!(allowed.unwrap(), here);
}

#[test]
fn a_public_url_that_is_set_is_what_it_prints_and_says_nothing_of_localhost() {
    let data = TempDir::new();
    let url = "https://login.example";
    let process = Process::spawn(command(&data.0).env("LATCHKEY_PUBLIC_URL", url));
    let told = process.output.lock().unwrap().clone();
    assert!(told.contains("Open https://login.example/"), "{told}");
    assert!(
        told.contains(&format!("Listening   http://{}\n", process.address)),
        "{told}"
    );
    assert!(!told.contains("localhost"), "{told}");
}

#[test]
fn a_port_alone_means_this_machine_only() {
    let (_data, process, told) = listening_on("0");
    assert!(process.address.ip().is_loopback(), "{told}");
    assert_ne!(process.address.port(), 0, "{told}");
}

#[test]
fn a_port_in_use_is_refused_with_the_setting_and_a_free_port() {
    let data = TempDir::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for setting in ["LATCHKEY_LISTEN", "LATCHKEY_METRICS_LISTEN"] {
        let address = taken.local_addr().unwrap().to_string();
        let refused = ended(command(&data.0).env(setting, &address));
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{told}");
        let advised = told.split(&format!("or set {setting}=127.0.0.1:")).nth(1);
        let port = advised.map(|rest| rest.trim_end().parse::<u16>().unwrap());
        let Some(port) = port else { panic!("{told}") };
        assert_ne!(port, taken.local_addr().unwrap().port());
        assert!(told.contains("another program listens there"), "{told}");
    }
}

#[test]
fn where_localhost_does_not_lead_the_address_is_printed() {
    let (_data, _process, told) = listening_on("127.0.0.2:0");
    assert!(told.contains("Open http://127.0.0.2:"), "{told}");
}
