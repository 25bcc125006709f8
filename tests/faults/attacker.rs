//! E6: what strangers can make the server keep, by refusals with large headers and responses that are never read.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::Scale;
use crate::load::{Ask, Caller, counts, with_status};
use crate::process::TempDir;
use crate::report::Report;
use crate::server::{Server, psql, somebody};

const ON: &[(&str, &str)] = &[
    ("LATCHKEY_RATE_LIMITS", "on"),
    ("LATCHKEY_HASH_WORKERS", "2"),
];
const CALLERS: usize = 32;
const READERS: usize = 1000;

/// Refused logins with 16 KiB of User-Agent each: memory, rows and log lines.
pub async fn refusals(report: &mut Report, scale: Scale) {
    let server = Server::with(ON);
    let address = server.address();
    somebody(address, "susan").await;
    hammered(address, 2000).await;
    let (base, began) = (server.memory(), Instant::now());
    let flood = tokio::spawn(hammered(address, scale.of(100_000, 300_000)));
    let mut most = base;
    while !flood.is_finished() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        most = most.max(server.memory());
    }
    let outcomes = flood.await.unwrap();
    let minutes = began.elapsed().as_secs() / 60 + 2;
    report.tell(
        "refused logins with 16 KiB of User-Agent",
        counts(&outcomes),
    );
    let rate = outcomes.len() as f64 / began.elapsed().as_secs_f64();
    report.tell("refusals per second", format!("{rate:.0}"));
    report.none(
        "neither 429 nor one of a few 401",
        outcomes.len() - with_status(&outcomes, 429) - with_status(&outcomes, 401),
    );
    let more = most - base;
    report.check(
        "memory growth",
        format!("{more:.1} MiB"),
        "≤ 16 MiB",
        more <= 16.0,
    );
    // Two buckets refuse: that of the address and that of the account.
    let bound = 2 * minutes;
    let db = psql(&server.sockets()).await.unwrap();
    let row = "select count(*), coalesce(max(octet_length(user_agent)), 0)::bigint from security_events where kind = 'limit_hit'";
    let row = db.query_one(row, &[]).await.unwrap();
    let (rows, longest): (i64, i64) = (row.get(0), row.get(1));
    report.check(
        "event rows",
        rows,
        &format!("≤ {bound}"),
        (1..=bound as i64).contains(&rows),
    );
    report.check(
        "longest stored User-Agent",
        format!("{longest} bytes"),
        "≤ 256 bytes",
        longest <= 256,
    );
    let output = server.process.output.lock().unwrap().clone();
    let lines = output
        .lines()
        .filter(|line| line.contains("limit_hit"))
        .count() as u64;
    report.check(
        "log lines",
        lines,
        &format!("≤ {bound}"),
        (1..=bound).contains(&lines),
    );
    report.check(
        "log size",
        format!("{} bytes", output.len()),
        "≤ 65536 bytes",
        output.len() <= 65_536,
    );
    let size =
        "select pg_total_relation_size('security_events') + pg_total_relation_size('rate_limits')";
    let size: i64 = db.query_one(size, &[]).await.unwrap().get(0);
    report.check(
        "size of both tables",
        format!("{} KiB", size / 1024),
        "≤ 1024 KiB",
        size <= 1 << 20,
    );
}

async fn hammered(address: SocketAddr, count: usize) -> Vec<crate::load::Outcome> {
    let body = r#"{"username": "susan", "password": "wrong-Password-9"}"#;
    let ask = Ask {
        kind: "refused",
        bytes: format!(
            "POST /api/login HTTP/1.1\r\nHost: faults\r\nUser-Agent: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            "x".repeat(16 * 1024),
            body.len()
        ),
    };
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let ask = ask.clone();
        all.spawn(async move {
            let (mut line, mut outcomes) = (Caller::to(address), Vec::new());
            for _ in 0..count / CALLERS {
                outcomes.push(line.ask(&ask).await);
            }
            outcomes
        });
    }
    all.join_all().await.into_iter().flatten().collect()
}

/// A thousand clients that request ten large responses or thousands of small ones, and read none.
pub async fn readers(report: &mut Report, _: Scale) {
    let pages = TempDir::new();
    std::fs::write(pages.0.join("index.html"), "").unwrap();
    let film = std::fs::File::create(pages.0.join("film.mp4"));
    film.unwrap().set_len(1 << 30).unwrap();
    let directory = ("LATCHKEY_SPA_DIR", pages.0.to_str().unwrap());
    let server = Server::with(&[ON, &[directory]].concat());
    let address = server.address();
    let susan = somebody(address, "susan").await;
    let base = server.memory();
    let mut readers = Vec::new();
    // One kind is sent in pieces, one read from the disk, one sent at once, one after a database query.
    let kinds = [
        ("/swagger-ui/swagger-ui-bundle.js", "\r\n", 10),
        ("/film.mp4", "\r\n", 10),
        ("/health/live", "\r\n", 1000),
        ("/health/ready", "\n", 5000),
    ];
    for n in 0..READERS {
        let (path, line_end, count) = kinds[n % kinds.len()];
        let ask = format!("GET {path} HTTP/1.1{line_end}Host: x{line_end}{line_end}");
        readers.push(never_reads(address, &ask.repeat(count)).await);
    }
    let (began, mut most) = (Instant::now(), base);
    while began.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        most = most.max(server.memory());
    }
    let more = most - base;
    report.check(
        "1000 clients that never read: memory growth",
        format!("{more:.1} MiB"),
        "≤ 32 MiB",
        more <= 32.0,
    );
    let mut open = 0;
    for mut reader in readers {
        let mut rest = Vec::new();
        let end = reader.read_to_end(&mut rest);
        let end = tokio::time::timeout(Duration::from_millis(500), end).await;
        open += usize::from(end.is_err());
    }
    report.none("connections still open after 30 s", open);
    let status = crate::server::status_of_me(address, &susan).await;
    report.check("still serving", status, "200", status == 200);
}

async fn never_reads(address: SocketAddr, asks: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    // The server does not take it all while nothing is read.
    let sending = stream.write_all(asks.as_bytes());
    let _ = tokio::time::timeout(Duration::from_millis(10), sending).await;
    stream
}
