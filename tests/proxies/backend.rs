//! A backend that answers with what it was asked, byte for byte, so that a test sees every header that reached it.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers for as long as the test runs.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            tokio::spawn(echo(line));
        }
    });
    address
}

async fn echo(mut line: TcpStream) {
    let Some((head, body)) = read(&mut line).await else {
        return;
    };
    let shown = format!("{head}\r\nbody: {}\r\n", body.len());
    let answer = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{shown}",
        shown.len()
    );
    let _ = line.write_all(answer.as_bytes()).await;
}

/// The head of a request, and its body.
async fn read(line: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16_384]);
    loop {
        let length = line.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..length]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let expected = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse::<usize>().unwrap())
        });
        if bytes.len() >= end + 4 + expected.unwrap_or_default() {
            return Some((head, bytes.split_off(end + 4)));
        }
    }
}
