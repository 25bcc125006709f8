//! Floods by strangers: what is stored and logged about them is bounded. The fault suite has the figures (E6).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::limits::{ON, try_login};
use crate::support::process::{Process, TempDir};
use crate::support::proxy::Line;
use crate::support::{App, PASSWORD, Visitor, somebody, wait_until};

/// For what happens at once or never. A busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends failing logins with a User-Agent of this size; returns how many got a 429.
async fn refused_logins(visitor: &Visitor, count: usize, user_agent: usize) -> usize {
    let user_agent = "x".repeat(user_agent);
    let mut refused = 0;
    for _ in 0..count {
        let request = visitor.request(reqwest::Method::POST, "/api/login");
        let request = request.header("user-agent", &user_agent);
        let form = json!({"username": "susan", "password": "wrong-Password-9"});
        let reply = crate::support::send(request.json(&form)).await;
        refused += usize::from(reply.status == 429);
    }
    refused
}

#[tokio::test]
async fn refusals_log_one_line_a_minute_with_their_count() {
    let data = TempDir::new();
    let mut server = Process::start(&data.0);
    let began = Instant::now();
    let refused = refused_logins(&server.visitor(), 600, 16_000).await;
    let minutes = began.elapsed().as_secs() / 60;
    let evaluated = 600 - refused as u64;
    assert!((5..=5 + minutes).contains(&evaluated), "{evaluated}");
    server.signal("TERM");
    server.wait();
    let output = server.output.lock().unwrap().clone();
    let told: Vec<&str> = output
        .lines()
        .filter(|line| line.contains("limit_hit"))
        .collect();
    assert!(
        (2..=2 + minutes).contains(&(told.len() as u64)),
        "{told:#?}"
    );
    let count = |line: &&str| -> usize {
        let rest = line.split("count=").nth(1).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert_eq!(told.iter().map(count).sum::<usize>(), refused);
    assert!(output.len() < 20_000, "{} bytes", output.len());
    assert!(!output.contains(&"x".repeat(257)));
}

#[tokio::test]
async fn client_texts_are_truncated_when_they_are_read() {
    let app = App::with(ON).await;
    app.registered("miguel").await;
    let visitor = app.visitor();
    refused_logins(&visitor, 40, 100_000).await;
    let request = visitor.request(reqwest::Method::POST, "/api/login");
    let request = request.header("x-forwarded-for", "192.0.2.1").header(
        "user-agent",
        format!("{}\u{e4}{}", "y".repeat(255), "z".repeat(1000)),
    );
    let form = json!({"username": "miguel", "password": PASSWORD});
    crate::support::send(request.json(&form)).await.expect(200);
    let kept = "select max(octet_length(user_agent)) from security_events union all \
        select max(octet_length(user_agent)) from sessions";
    let kept = app.sql(kept).await;
    assert_eq!(kept, [[Some("256".to_owned())], [Some("255".to_owned())]]);
    // The first refusal of each bucket in a minute. The rest is counted.
    let rows = "select count(*) from security_events where kind = 'limit_hit'";
    wait_until("it is written", async || app.count(rows).await == 1).await;
}

#[tokio::test]
async fn repeated_refusals_are_reported_later_with_their_count() {
    let app = App::with(ON).await;
    for _ in 0..20 {
        try_login(&app.visitor(), "192.0.2.1", "susan", "wrong-Password-9").await;
    }
    app.services.repeats.report_due(true);
    let counts = "select count || ' ' || (user_id is null) from security_events where kind = 'limit_hit' order by id";
    wait_until("both are written", async || {
        app.sql(counts).await.len() == 2
    })
    .await;
    let counts = app.sql(counts).await;
    assert_eq!(
        counts,
        [[Some("1 true".to_owned())], [Some("14 true".to_owned())]]
    );
}

#[tokio::test]
async fn cross_origin_refusals_are_logged_once_a_minute() {
    let data = TempDir::new();
    let mut server = Process::start(&data.0);
    let visitor = server.visitor();
    let path = format!("/api/login?{}", "x".repeat(50_000));
    for _ in 0..200 {
        let request = visitor.request(reqwest::Method::POST, &path);
        let request = request
            .header("origin", "https://evil.example")
            .json(&json!({}));
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    server.signal("TERM");
    server.wait();
    let output = server.output.lock().unwrap().clone();
    let told = output
        .lines()
        .filter(|line| line.contains("cross_origin_refused"));
    assert!((1..=3).contains(&told.count()), "{output}");
    assert!(output.contains("count=199"), "{output}");
    assert!(output.len() < 10_000, "{} bytes", output.len());
}

#[tokio::test]
async fn events_waiting_for_the_database_are_bounded_in_bytes() {
    let (app, mut proxy) = App::behind_proxy(Line::Good, &[]).await;
    app.wait_for_cache().await;
    proxy.close().await;
    let client = somebody();
    for _ in 0..100_000 {
        let event =
            latchkey::auth::events::made(latchkey::auth::events::Kind::LoginFailed, None, &client);
        app.services.events.push(event);
    }
    let bytes = app.services.events.bytes();
    assert!((3 << 20..=4 << 20).contains(&bytes), "{bytes}");
}

/// Requests large responses again and again, and reads none.
async fn never_reads(address: SocketAddr, path: &str, buffer: u32) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(buffer).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream
        .write_all(request.repeat(10).as_bytes())
        .await
        .unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_never_reads_is_disconnected_and_a_slow_one_is_not() {
    let app = App::start().await;
    let mut readers = Vec::new();
    for path in ["/swagger-ui/swagger-ui-bundle.js", "/api/openapi.json"] {
        readers.push(never_reads(app.address, path, 4096).await);
    }
    let mut slow = never_reads(app.address, "/swagger-ui/swagger-ui.css", 65_536).await;
    let began = Instant::now();
    let mut taken = 0;
    while began.elapsed() < Duration::from_secs(30) {
        let mut some = [0; 16_384];
        taken += slow.read(&mut some).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(taken > 10_000, "{taken}");
    for mut reader in readers {
        let mut rest = Vec::new();
        // What the kernel has buffered may still arrive; then the connection is gone.
        let read = tokio::time::timeout(PATIENCE, reader.read_to_end(&mut rest));
        let end = read.await.expect("closed");
        assert!(end.is_err(), "reset, not closed");
        assert!(rest.len() < 1_000_000);
    }
    let mut rest = [0; 4096];
    assert!(
        slow.read(&mut rest).await.unwrap() > 0,
        "the slow one is still served"
    );
}

/// Sends bytes, and returns the status codes of this many responses.
async fn exchange(address: SocketAddr, bytes: &[u8], answers: usize) -> Vec<u16> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let bytes = bytes.to_vec();
    let sending = tokio::spawn(async move {
        to.write_all(&bytes).await.unwrap();
        to
    });
    let mut text = String::new();
    let codes = |text: &str| -> Vec<u16> {
        let lines = text.split("HTTP/1.1 ").skip(1);
        lines.map(|line| line[..3].parse().unwrap()).collect()
    };
    let reading = async {
        while codes(&text).len() < answers {
            let mut some = vec![0; 65_536];
            let length = from.read(&mut some).await.unwrap();
            assert!(length > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&some[..length]));
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("all are answered");
    drop(sending);
    codes(&text)
}

const GET: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

fn login(body: &str) -> String {
    let head = "POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A POST in chunks of this size.
fn chunked(path: &str, body: &str, size: usize) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
    let chunk = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        format!("{:x}\r\n{text}\r\n", bytes.len())
    };
    let body: String = body.as_bytes().chunks(size).map(chunk).collect();
    format!("{head}Transfer-Encoding: chunked\r\n\r\n{body}0\r\n\r\n")
}

/// A good login whose body looks like the end of a request, repeatedly.
fn endless() -> String {
    format!(
        "{{\r\n\r\n\"username\":\r\n\r\n\r\n\r\n\"susan\",\r\n\r\n\"password\": \"{PASSWORD}\"\r\n\r\n}}\r\n\r\n"
    )
}

#[tokio::test]
async fn pipelined_requests_are_answered_even_if_bodies_look_like_ends() {
    let app = App::start().await;
    app.registered("susan").await;
    let all = [
        GET.repeat(200),
        login(&endless()),
        GET.repeat(50),
        chunked("/api/login", &endless(), 7),
        login(&"\r\n".repeat(10_000)),
        GET.repeat(2),
    ];
    let codes = exchange(app.address, all.concat().as_bytes(), 255).await;
    assert_eq!(codes.iter().filter(|code| **code == 200).count(), 254);
    assert_eq!(codes[252], 413);
}

#[tokio::test]
async fn requests_are_parsed_however_they_are_split() {
    let app = App::start().await;
    app.registered("susan").await;
    for size in [1, 3, 64, 1000] {
        let stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut from, mut to) = stream.into_split();
        let (whole, chunked) = (login(&endless()), chunked("/api/login", &endless(), 7));
        let bytes = [GET, &whole, GET, &chunked, GET].concat();
        tokio::spawn(async move {
            for piece in bytes.as_bytes().chunks(size) {
                to.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            std::future::pending::<()>().await;
        });
        read_answers(&mut from, 5).await;
    }
}

/// Reads until this many responses have arrived.
async fn read_answers(from: &mut (impl AsyncReadExt + Unpin), answers: usize) {
    let mut text = String::new();
    while text.matches("HTTP/1.1 ").count() < answers {
        let mut some = vec![0; 65_536];
        let read = tokio::time::timeout(PATIENCE, from.read(&mut some));
        let length = read.await.expect("answered").unwrap();
        assert!(length > 0, "closed after {text}");
        text.push_str(&String::from_utf8_lossy(&some[..length]));
    }
}

#[tokio::test]
async fn empty_lines_never_stall_a_connection() {
    let app = App::start().await;
    app.registered("susan").await;
    let bare = "GET /health/live HTTP/1.1\nHost: x\n\n";
    let json = format!("{{\"username\": \"susan\", \"password\": \"{PASSWORD}\"}}");
    let chunks = |path: &str, body: &str| chunked(path, body, 1);
    let empty = "\n".repeat(40);
    let (within, around) = (
        login(&format!("{empty}{json}{empty}")),
        format!("\n\n{json}\n\n\n"),
    );
    let cases = [
        (bare.repeat(300), vec![200; 300]),
        (
            format!("{GET}\r\n\r\n{GET}\r\n\r\n\r\n\r\n{GET}\n\n\n{GET}"),
            vec![200; 4],
        ),
        (format!("{}{GET}", "\r\n".repeat(8)), vec![200]),
        (format!("{within}{GET}"), vec![200; 2]),
        (
            format!("{}{GET}", chunks("/api/login", &around)),
            vec![200; 2],
        ),
        (
            format!("{GET}{}", chunks("/nowhere", "\n\n\n\n\n\n")),
            vec![200, 404],
        ),
        (
            format!("{GET}{}", login(&"\r\n".repeat(3000))),
            vec![200, 400],
        ),
    ];
    for (bytes, expected) in cases {
        let codes = exchange(app.address, bytes.as_bytes(), expected.len()).await;
        assert_eq!(codes, expected, "{}", &bytes[..bytes.len().min(200)]);
    }
}

#[tokio::test]
async fn a_client_that_pipelines_and_reads_late_gets_every_response() {
    let app = App::start().await;
    app.registered("susan").await;
    let json = format!("{{\"username\": \"susan\", \"password\": \"{PASSWORD}\"}}");
    let chunks = chunked("/api/login", "{\n\n}", 1);
    let many = [login("{\n\n\n}"), login(&json), chunks].concat();
    let mut late = never_reads(app.address, "/health/ready", 4096).await;
    late.write_all(many.repeat(60).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    read_answers(&mut late, 10 + 3 * 60).await;
}

#[tokio::test]
async fn an_unfinished_second_head_or_stray_lines_do_not_keep_a_connection_open() {
    let app = App::start().await;
    let mut slow = tokio::net::TcpStream::connect(app.address).await.unwrap();
    slow.write_all(GET.as_bytes()).await.unwrap();
    assert!(slow.read(&mut [0; 4096]).await.unwrap() > 0);
    slow.write_all(b"GET /he").await.unwrap();
    let read = tokio::time::timeout(PATIENCE, slow.read(&mut [0; 64])).await;
    assert!(read.is_ok(), "closed");
    // After stray lines the connection is reused, or closed when idle.
    let stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let strays = format!("{GET}\r\n\r\n").repeat(4);
    to.write_all(strays.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    let end = tokio::time::timeout(PATIENCE, from.read_to_end(&mut text)).await;
    assert!(end.is_ok(), "closed after the keep-alive time");
    let text = String::from_utf8_lossy(&text);
    assert_eq!(text.matches("HTTP/1.1 200").count(), 4);
}
