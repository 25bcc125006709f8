//! Pages of other origins, in the browser of somebody who is logged in.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::browser::Browser;
use crate::house::{House, free_port};
use crate::needs::Need;
use crate::support::PASSWORD;

crate::tests! {
    Need::Browser => [
        a_page_of_another_site_can_neither_log_in_nor_read,
        another_port_of_localhost_can_neither_log_in_nor_read,
        a_form_of_another_origin_logs_nobody_in_and_nobody_out,
        nothing_can_be_embedded_elsewhere,
        a_page_of_a_trusted_origin_logs_in_and_reads,
    ]
}

/// A page that somebody else serves, for whatever path, on any name of this machine.
async fn elsewhere(port: u16) {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut line, _)) = listener.accept().await {
            tokio::spawn(async move {
                let page = "<!doctype html><title>elsewhere</title><h1>Elsewhere</h1>";
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                    page.len()
                );
                let _ = line.read(&mut [0; 16_384]).await;
                let _ = line.write_all(answer.as_bytes()).await;
            });
        }
    });
}

/// What a script gets that calls the API from the page: a status, or `unreadable`.
async fn fetched(browser: &Browser, method: &str, path: &str, body: Value) -> String {
    let script = "const [url, method, body] = arguments;
        const headers = body ? {'Content-Type': 'application/json'} : {};
        return fetch(url, {method, headers, credentials: 'include', body: body && JSON.stringify(body)})
            .then((answer) => String(answer.status), () => 'unreadable')";
    let url = format!("{}{path}", browser.origin);
    let answer = browser.run(script, json!([url, method, body])).await;
    answer.as_str().unwrap().to_owned()
}

fn susans_login() -> Value {
    json!({"username": "susan", "password": PASSWORD})
}

/// From a site of its own, and from another port of `localhost`, where even SameSite cookies are sent.
async fn a_stranger_can_do_nothing(host: &str) {
    let (house, port) = (House::open().await, free_port());
    elsewhere(port).await;
    let susan = house.home_of("susan").await;
    assert_eq!(house.sessions().await, 1);

    susan.open(&format!("http://{host}:{port}/")).await;
    let calls = [
        ("POST", "/api/login", susans_login()),
        ("POST", "/api/logout", Value::Null),
        ("DELETE", "/api/sessions", Value::Null),
        ("GET", "/api/me", Value::Null),
        ("GET", "/api/sessions", Value::Null),
        ("GET", "/api/config", Value::Null),
    ];
    for (method, path, body) in calls {
        let got = fetched(&susan, method, path, body).await;
        assert_eq!(got, "unreadable", "{method} {path}");
    }
    assert_eq!(house.sessions().await, 1);

    susan.open("/").await;
    susan.heads("Hi, susan!").await;
}

async fn a_page_of_another_site_can_neither_log_in_nor_read() {
    a_stranger_can_do_nothing("127.0.0.1").await;
}

async fn another_port_of_localhost_can_neither_log_in_nor_read() {
    a_stranger_can_do_nothing("localhost").await;
}

/// A form needs no preflight. Its text is JSON, as far as forms can do that.
async fn send_form(browser: &Browser, path: &str, json: &Value) {
    let script = "const [action, rest] = arguments;
        const form = document.createElement('form');
        Object.assign(form, {action, method: 'post', enctype: 'text/plain'});
        const field = document.createElement('input');
        field.name = '{\"next\": \"';
        field.value = '\", ' + rest;
        form.append(field);
        document.body.append(form);
        form.submit()";
    let (action, rest) = (format!("{}{path}", browser.origin), json.to_string());
    browser.run(script, json!([action, rest[1..]])).await;
    browser.sees("cross_origin_request").await;
}

async fn a_form_of_another_origin_logs_nobody_in_and_nobody_out() {
    let (house, port) = (House::open().await, free_port());
    elsewhere(port).await;
    house.register("susan").await;
    let susan = house.browser().await;
    for host in ["127.0.0.1", "localhost"] {
        susan.open(&format!("http://{host}:{port}/")).await;
        send_form(&susan, "/api/login", &susans_login()).await;
    }
    assert_eq!(house.sessions().await, 0);
    susan.log_in("susan").await;
    for host in ["127.0.0.1", "localhost"] {
        susan.open(&format!("http://{host}:{port}/")).await;
        send_form(&susan, "/api/logout", &json!({"all": 1})).await;
    }
    assert_eq!(house.sessions().await, 1);
}

/// What a page can embed without asking: a script, a picture, a frame.
async fn nothing_can_be_embedded_elsewhere() {
    let (house, port) = (House::open().await, free_port());
    elsewhere(port).await;
    let susan = house.home_of("susan").await;
    susan.open(&format!("http://localhost:{port}/")).await;
    let script = "const [src, tag] = arguments;
        return new Promise((done) => {
            const element = document.createElement(tag);
            element.onload = () => done('loaded');
            element.onerror = () => done('refused');
            element.src = src;
            document.body.append(element);
        })";
    for (tag, path) in [("script", "/api/me"), ("img", "/api/me")] {
        let src = format!("{}{path}", house.origin);
        let got = susan.run(script, json!([src, tag])).await;
        assert_eq!(got, "refused", "{tag} of {path}");
    }
    for path in ["/", "/login", "/account", "/swagger-ui/", "/dev/mailbox"] {
        let src = format!("{}{path}", house.origin);
        susan.run(script, json!([src, "iframe"])).await;
        let complaints = susan.complaints().await.join("\n");
        assert!(
            complaints.contains("frame-ancestors"),
            "{path}: {complaints}"
        );
    }
}

async fn a_page_of_a_trusted_origin_logs_in_and_reads() {
    let port = free_port();
    let trusted = format!("http://localhost:{port}");
    let house = House::with(&[("LATCHKEY_TRUSTED_ORIGINS", &trusted)]).await;
    elsewhere(port).await;
    house.register("susan").await;
    let susan = house.browser().await;
    susan.open(&trusted).await;
    assert_eq!(fetched(&susan, "GET", "/api/me", Value::Null).await, "401");
    assert_eq!(
        fetched(&susan, "POST", "/api/login", susans_login()).await,
        "200"
    );
    assert_eq!(fetched(&susan, "GET", "/api/me", Value::Null).await, "200");
    assert_eq!(
        fetched(&susan, "POST", "/api/logout", Value::Null).await,
        "204"
    );
    assert_eq!(house.sessions().await, 0);
}
