//! Sends thousands of requests as bytes over plain connections, and records the result of each.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The longest wait. After that, a request counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a refused client waits: at least half of what Retry-After says.
const PAUSE: Duration = Duration::from_millis(500);

pub const PASSWORD: &str = "green-Lamp-42-river";

/// A request, and the kind that it counts as.
#[derive(Clone)]
pub struct Ask {
    pub kind: &'static str,
    pub bytes: String,
}

pub fn get(kind: &'static str, path: &str, cookie: &str) -> Ask {
    let bytes = format!("GET {path} HTTP/1.1\r\nHost: faults\r\nCookie: {cookie}\r\n\r\n");
    Ask { kind, bytes }
}

pub fn post(kind: &'static str, path: &str, cookie: &str, body: &str) -> Ask {
    let length = body.len();
    let bytes = format!(
        "POST {path} HTTP/1.1\r\nHost: faults\r\nCookie: {cookie}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    Ask { kind, bytes }
}

pub fn log_in(name: &str) -> Ask {
    let body = format!("{{\"username\": \"{name}\", \"password\": \"{PASSWORD}\"}}");
    post("login", "/api/login", "", &body)
}

pub fn register(name: &str) -> Ask {
    let body = format!(
        "{{\"username\": \"{name}\", \"email\": \"{name}@example.com\", \"password\": \"{PASSWORD}\"}}"
    );
    post("register", "/api/register", "", &body)
}

pub fn me(cookie: &str) -> Ask {
    get("me", "/api/me", cookie)
}

/// The result of a request. Status 0 means no answer.
#[derive(Clone)]
pub struct Outcome {
    pub kind: &'static str,
    pub status: u16,
    pub says_when: bool,
    pub sent: Instant,
    pub took: Duration,
    pub cookie: Option<String>,
}

impl Outcome {
    pub fn answered(&self) -> Instant {
        self.sent + self.took
    }
}

/// A server, and how to connect to it.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub tls: Option<TlsConnector>,
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Target {
    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = "localhost".try_into().map_err(std::io::Error::other)?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

/// One connection, reopened when it is lost.
pub struct Caller {
    target: Target,
    stream: Option<Box<dyn Stream>>,
    buffer: Vec<u8>,
}

impl Caller {
    pub fn to(target: impl Into<Target>) -> Self {
        Self {
            target: target.into(),
            stream: None,
            buffer: Vec::new(),
        }
    }

    pub async fn ask(&mut self, ask: &Ask) -> Outcome {
        let sent = Instant::now();
        let reused = self.stream.is_some();
        self.buffer.clear();
        let answer = tokio::time::timeout(PATIENCE, self.exchange(&ask.bytes)).await;
        let mut head = answer.ok().and_then(Result::ok);
        if head.is_none() && reused && self.buffer.is_empty() && sent.elapsed() < PATIENCE {
            // The server may close an idle connection just as it is reused. Any client then opens another.
            self.stream = None;
            let again = tokio::time::timeout(PATIENCE, self.exchange(&ask.bytes)).await;
            head = again.ok().and_then(Result::ok);
        }
        if head.is_none() {
            self.stream = None;
        }
        let head = head.unwrap_or_default();
        let cookie = header(&head, "set-cookie");
        Outcome {
            kind: ask.kind,
            status: head
                .get(9..12)
                .and_then(|code| code.parse().ok())
                .unwrap_or(0),
            says_when: header(&head, "retry-after").is_some(),
            sent,
            took: sent.elapsed(),
            cookie: cookie.and_then(|rest| Some(rest.split_once(';')?.0.to_owned())),
        }
    }

    /// The head of the response. Its body is read and dropped.
    async fn exchange(&mut self, bytes: &str) -> std::io::Result<String> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => self.stream.insert(self.target.connect().await?),
        };
        stream.write_all(bytes.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            let length = header(&head, "content-length").and_then(|text| text.parse().ok());
            if self.buffer.len() < end + 4 + length.unwrap_or(0) {
                continue;
            }
            if header(&head, "connection") == Some("close") {
                self.stream = None;
            }
            return Ok(head);
        }
    }
}

/// The value of the first header of this name.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

/// Sends `rate` requests a second, each on time, whatever happens to the ones before.
pub async fn steady(
    target: impl Into<Target>,
    rate: u32,
    time: Duration,
    ask: impl Fn(usize) -> Ask,
) -> Vec<Outcome> {
    let target = target.into();
    let lines: Arc<Mutex<Vec<Caller>>> = Arc::default();
    let mut under_way = tokio::task::JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
    let (began, mut n) = (Instant::now(), 0);
    while began.elapsed() < time {
        tick.tick().await;
        let (ask, lines, target) = (ask(n), lines.clone(), target.clone());
        under_way.spawn(async move {
            let line = lines.lock().unwrap().pop();
            let mut line = line.unwrap_or_else(|| Caller::to(target));
            let outcome = line.ask(&ask).await;
            lines.lock().unwrap().push(line);
            outcome
        });
        n += 1;
    }
    under_way.join_all().await
}

/// Runs `clients` at a time. Each sends its next request when the last is answered, after a pause if refused.
pub async fn hammer(
    address: SocketAddr,
    clients: usize,
    time: Duration,
    ask: impl Fn(usize) -> Ask + Clone + Send + 'static,
) -> Vec<Outcome> {
    let mut all = tokio::task::JoinSet::new();
    let began = Instant::now();
    for client in 0..clients {
        let ask = ask.clone();
        all.spawn(async move {
            let (mut line, mut outcomes, mut n) = (Caller::to(address), Vec::new(), client);
            while began.elapsed() < time {
                let outcome = line.ask(&ask(n)).await;
                if outcome.status == 503 {
                    tokio::time::sleep(PAUSE).await;
                }
                outcomes.push(outcome);
                n += clients;
            }
            outcomes
        });
    }
    all.join_all().await.into_iter().flatten().collect()
}

pub fn of_kind(outcomes: &[Outcome], kind: &str) -> Vec<Outcome> {
    let mut chosen = outcomes.to_vec();
    chosen.retain(|outcome| outcome.kind == kind);
    chosen
}

pub fn with_status(outcomes: &[Outcome], status: u16) -> usize {
    outcomes
        .iter()
        .filter(|outcome| outcome.status == status)
        .count()
}

/// How many are neither a success nor a 503 with Retry-After.
pub fn improper(outcomes: &[Outcome]) -> usize {
    let proper = |outcome: &&Outcome| match outcome.status {
        200..=299 => true,
        503 => outcome.says_when,
        _ => false,
    };
    outcomes.len() - outcomes.iter().filter(proper).count()
}

pub fn percentile(outcomes: &[Outcome], part: f64) -> Duration {
    let mut times: Vec<Duration> = outcomes.iter().map(|outcome| outcome.took).collect();
    times.sort();
    let index = (times.len() as f64 * part) as usize;
    times
        .get(index.min(times.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

pub fn worst(outcomes: &[Outcome]) -> Duration {
    percentile(outcomes, 1.0)
}

/// The count of each status, for the table.
pub fn counts(outcomes: &[Outcome]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome.status).or_insert(0) += 1;
    }
    let texts: Vec<_> = counts
        .iter()
        .map(|(status, count)| format!("{count} × {status}"))
        .collect();
    texts.join(", ")
}
