//! What clients notice of a server that stops: nothing that it accepted is left unanswered.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::process::{Process, TempDir, command};
use crate::support::{Database, SECRET_KEY};

const REQUEST: &[u8] =
    b"POST /api/login HTTP/1.1\r\nHost: latchkey\r\nContent-Type: application/json\r\n\
    Content-Length: 2\r\n\r\n{}";

fn start(database: &Database, data: &TempDir) -> Process {
    let mut command = command(&data.0);
    command
        .env("DATABASE_URL", database.url())
        .env("LATCHKEY_SECRET_KEY", SECRET_KEY);
    Process::spawn(&mut command)
}

/// Asks until the server accepts no more connections. Returns how many requests were not answered on a connection that
/// it had accepted and had not announced to close, and how many were answered.
async fn ask_until_closed(address: SocketAddr, keeps: bool) -> (usize, usize) {
    let (mut unanswered, mut answered) = (0, 0);
    while let Ok(mut stream) = TcpStream::connect(address).await {
        loop {
            let Ok(head) = exchange(&mut stream).await else {
                unanswered += 1;
                break;
            };
            answered += 1;
            if !keeps || head.contains("connection: close") {
                break;
            }
        }
    }
    (unanswered, answered)
}

/// The head of the answer.
async fn exchange(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(REQUEST).await?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        if body.len() == length {
            return Ok(head.to_owned());
        }
    }
}

#[tokio::test]
async fn every_request_on_an_accepted_connection_is_answered_before_the_end() {
    let (database, data) = (Database::create().await, TempDir::new());
    for signal in ["TERM", "TERM", "INT"] {
        let mut process = start(&database, &data);
        let clients = (0..40).map(|n| tokio::spawn(ask_until_closed(process.address, n % 2 == 0)));
        let clients: Vec<_> = clients.collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        process.signal(signal);
        let (mut unanswered, mut answered) = (0, 0);
        for client in clients {
            let (lost, good) = client.await.unwrap();
            unanswered += lost;
            answered += good;
        }
        assert_eq!(unanswered, 0, "{answered} were answered, {signal}");
        assert!(answered > 100, "{answered}");
        assert_eq!(process.wait().code(), Some(0));
    }
}

/// A request that comes a little later than its connection, while the server is stopping already.
#[tokio::test]
async fn a_request_on_its_way_when_the_server_stops_still_arrives() {
    let (database, data) = (Database::create().await, TempDir::new());
    let mut answered = 0;
    // On a busy machine, one of them may come too late. Without the wait, none is answered.
    for _ in 0..5 {
        let mut process = start(&database, &data);
        let mut stream = TcpStream::connect(process.address).await.unwrap();
        process.signal("INT");
        tokio::time::sleep(Duration::from_millis(160)).await;
        answered += usize::from(exchange(&mut stream).await.is_ok());
        assert_eq!(process.wait().code(), Some(0));
    }
    assert!(answered > 0, "none was answered");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let (database, data) = (Database::create().await, TempDir::new());
    let mut process = start(&database, &data);
    let mut idle = TcpStream::connect(process.address).await.unwrap();
    let mut used = TcpStream::connect(process.address).await.unwrap();
    exchange(&mut used).await.unwrap();
    process.signal("TERM");
    let began = std::time::Instant::now();
    for stream in [&mut idle, &mut used] {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "closed cleanly");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(process.wait().code(), Some(0));
}
