//! What the benchmarks over HTTP share: servers as processes, requests, and the static route to compare with.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpResponse, HttpServer, web};

pub const PASSWORD: &str = "green-Lamp-42-river";

/// A server in a process of its own.
pub struct Server {
    pub child: Child,
    pub address: String,
    /// What it prints after its address.
    pub output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = output
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.contains("http://127.0.0.1:"))
            .unwrap();
        let (_, address) = line.split_once("http://").unwrap();
        let address = address.trim_end_matches("/api").to_owned();
        Self {
            child,
            address,
            output,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        // It must not wait for somebody to read what it prints.
        self.output.by_ref().for_each(drop);
        let _ = self.child.wait();
    }
}

/// `serve` with a database below `data` and nothing limited.
pub fn serve(program: &str, data: &std::path::Path, workers: u8) -> Command {
    let mut command = Command::new(program);
    command
        .args(["serve", "--listen=127.0.0.1:0"])
        .args([
            format!("--workers={workers}"),
            "--hash-workers=2".to_owned(),
        ])
        .arg("--data-dir")
        .arg(data)
        .env_remove("DATABASE_URL")
        .env("LATCHKEY_LOG", "error")
        .env("LATCHKEY_RATE_LIMITS", "off");
    command
}

pub fn get(path: &str, cookie: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\nCookie: {cookie}\r\n\r\n")
}

pub fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The form of somebody who registers.
pub fn registration(name: &str) -> String {
    format!(
        "{{\"username\": \"{name}\", \"email\": \"{name}@example.com\", \"password\": \"{PASSWORD}\"}}"
    )
}

/// Is the answer here to its end?
pub fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let length = head.split("content-length: ").nth(1).map_or(0, |rest| {
        rest.split("\r\n").next().unwrap().parse().unwrap()
    });
    answer.len() >= end + 4 + length
}

/// The command that serves the static route: this program again, with the answer to give.
pub fn static_route(answer: &[u8]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let answer = std::str::from_utf8(answer).unwrap();
    command.args(["--static-route", answer]);
    command
}

/// Serves what `static_route` was given: to every request an answer of as many bytes under the same headers.
pub async fn serve_static_route(answer: &str, workers: usize) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body = web::Bytes::copy_from_slice(body.as_bytes());
    // These two are actix's own.
    let own = ["content-length", "date"];
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        let value: HeaderValue = value.parse().unwrap();
        (name.parse::<HeaderName>().unwrap(), value)
    };
    let headers: Vec<_> = head
        .lines()
        .skip(1)
        .map(header)
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .collect();
    let server = HttpServer::new(move || {
        let (body, headers) = (body.clone(), headers.clone());
        App::new().route(
            "/api/me",
            web::get().to(move || {
                let mut answer = HttpResponse::Ok();
                for header in &headers {
                    answer.append_header(header.clone());
                }
                std::future::ready(answer.body(body.clone()))
            }),
        )
    });
    let server = server.workers(workers).bind("127.0.0.1:0").unwrap();
    println!("http://{}", server.addrs()[0]);
    server.run().await.unwrap();
}
