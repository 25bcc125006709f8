//! What stands behind a proxy, and a client that sends whatever it likes.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::backend;
use crate::front::{Front, Kind, free_address};
use crate::support::proxy::{Line, Proxy};
use crate::support::{App, PASSWORD, Visitor};

/// Latchkey and a backend behind a proxy.
pub struct House {
    // First, so that nobody asks for what has ended.
    front: Front,
    app: Option<App>,
}

/// An answer of the proxy, or of the backend through it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl House {
    pub async fn behind(kind: Kind) -> Self {
        Self::of_backend(kind, backend::start().await).await
    }

    /// The same with another backend.
    pub async fn of_backend(kind: Kind, backend: SocketAddr) -> Self {
        let address = free_address();
        let app = App::with(&settings(address).each_ref().map(String::as_str)).await;
        Self::before(kind, address, app, backend).await
    }

    /// The same with a line to the database that can be cut.
    pub async fn on_a_line(kind: Kind) -> (Self, Proxy) {
        let address = free_address();
        let settings = settings(address);
        let settings = settings.each_ref().map(String::as_str);
        let (app, line) = App::behind_proxy(Line::Good, &settings).await;
        app.wait_for_cache().await;
        (Self::with(kind, address, app).await, line)
    }

    async fn with(kind: Kind, address: SocketAddr, app: App) -> Self {
        Self::before(kind, address, app, backend::start().await).await
    }

    async fn before(kind: Kind, address: SocketAddr, app: App, backend: SocketAddr) -> Self {
        let front = Front::start(kind, address, app.address, backend).await;
        Self {
            front,
            app: Some(app),
        }
    }

    pub fn app(&self) -> &App {
        self.app.as_ref().expect("a Latchkey that runs")
    }

    pub fn stop_latchkey(&mut self) {
        self.app = None;
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.front.address)
    }

    /// A visitor of the proxy who is logged in, and their cookie.
    pub async fn logged_in(&self, name: &str) -> (Visitor, String) {
        let visitor = Visitor::new(self.front.address);
        let form =
            json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        visitor.post("/api/register", form).await.expect(201);
        let cookie = visitor.log_in(name).await.expect(200).session_cookie();
        (visitor, cookie)
    }

    /// Sends these lines as the head of a request. `Host` and the end are added.
    pub async fn ask(&self, head: &str) -> Answer {
        self.ask_with_body(head, "").await
    }

    pub async fn ask_with_body(&self, head: &str, body: &str) -> Answer {
        let mut line = TcpStream::connect(self.front.address).await.unwrap();
        let head = head.trim().replace('\n', "\r\n");
        let request = format!(
            "{head}\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.front.address,
            body.len()
        );
        line.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 16_384];
        let answered = async {
            while !is_whole(&bytes) {
                match line.read(&mut buffer).await {
                    Ok(length) if length > 0 => bytes.extend_from_slice(&buffer[..length]),
                    _ => break,
                }
            }
        };
        let in_time = timeout(Duration::from_secs(20), answered).await;
        in_time.expect("an answer within 20 s");
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole answer");
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    /// The status of a GET with this cookie.
    pub async fn status(&self, path: &str, cookie: &str) -> u16 {
        let head = format!("GET {path} HTTP/1.1\nCookie: {cookie}");
        self.ask(&head).await.status
    }
}

fn settings(address: SocketAddr) -> [String; 2] {
    [
        format!("--public-url=http://{address}"),
        "--trusted-proxies=127.0.0.1".to_owned(),
    ]
}

/// Whether the answer is complete by its Content-Length. Others end with their connection.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.starts_with("http/1.1 204") {
        return true;
    }
    if let Some((_, rest)) = head.split_once("content-length: ") {
        let length = rest.lines().next().unwrap().trim().parse::<usize>();
        return body.len() >= length.unwrap();
    }
    head.contains("transfer-encoding: chunked") && body.ends_with("\r\n0\r\n\r\n")
}

impl Answer {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        self
    }

    /// The headers that reached the backend and that it could take for Latchkey's, sorted.
    pub fn latchkey_headers(&self) -> Vec<(String, String)> {
        let lines = self.body.lines().filter_map(|line| line.split_once(':'));
        let named = lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        let mut found: Vec<_> = named
            .filter(|(name, _)| name.replace('_', "-").starts_with("x-latchkey"))
            .collect();
        found.sort();
        found
    }
}
