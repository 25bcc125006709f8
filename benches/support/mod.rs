//! What the benchmarks over HTTP share: servers as processes, and requests.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

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
            .find(|line| line.trim_start().starts_with("Listening"))
            .unwrap();
        let (_, address) = line.split_once("http://").unwrap();
        let address = address.split(' ').next().unwrap().to_owned();
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
