//! R5, R6, R7: more load than the server can handle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Scale;
use crate::load::{Ask, counts, hammer, log_in, me, percentile, steady, with_status};
use crate::report::Report;
use crate::server::{Server, psql, somebody};

const WORKERS: &[(&str, &str)] = &[("LATCHKEY_HASH_WORKERS", "2")];
const HASH_MIB: f64 = 19.0;
/// Of the password of everybody in these tests.
const WERKZEUG: &str = "scrypt:32768:8:1$JwhQPCTYFWwIWrno$16c09706ba2dbd25dbcf8435995a776ee912a376b03651a6c4a6e10806086e9256dd10c994f5f1dda3da0302824886e8c4715b24aee22c7e6a3c1acd5adb9a06";

/// R5: a flood of logins, while `/api/me` keeps working.
pub async fn logins(report: &mut Report, scale: Scale) {
    let server = Server::with(WORKERS);
    let address = server.address();
    somebody(address, "susan").await;
    let base = server.memory();
    flood(report, scale, address, |_| log_in("susan")).await;
    // More than the queue holds. The rest is refused at once.
    let flood = hammer(address, 600, Duration::from_secs(scale.of(5, 20)), |_| {
        log_in("susan")
    })
    .await;
    let mut refused = flood.clone();
    refused.retain(|outcome| outcome.status == 503);
    report.tell("600 connections: logins", counts(&flood));
    report.none(
        "neither 200 nor 503",
        flood.len() - with_status(&flood, 200) - refused.len(),
    );
    report.check("refused", refused.len(), "> 0", !refused.is_empty());
    report.within(
        "refused: median",
        percentile(&refused, 0.5),
        Duration::from_millis(50),
    );
    // All 600 arrive at the same moment, so even the first ones wait for each other.
    report.tell(
        "refused: p99",
        format!(
            "{:.1} ms",
            percentile(&refused, 0.99).as_secs_f64() * 1000.0
        ),
    );
    within_memory(report, &server, base, HASH_MIB);
}

/// R5 with the hashes of Werkzeug: each login checks one, and makes one of ours.
pub async fn imported_logins(report: &mut Report, scale: Scale) {
    let server = Server::with(WORKERS);
    let address = server.address();
    let base = server.memory();
    let sql = psql(&server.sockets()).await.unwrap();
    let import = format!(
        "insert into users (username, email, password_hash, foreign_hash_kib) select 'user' || n, \
         'user' || n || '@example.com', '{WERKZEUG}', 33000 from generate_series(0, 100000) n"
    );
    sql.batch_execute(&import).await.unwrap();
    // Nobody logs in twice, or they would have a hash of ours.
    let next = Arc::new(AtomicUsize::new(0));
    let somebody_else = move |_| log_in(&format!("user{}", next.fetch_add(1, Ordering::Relaxed)));
    flood(report, scale, address, somebody_else).await;
    within_memory(report, &server, base, HASH_MIB + 33.0);
}

/// 64 connections that log in, beside one that is logged in.
async fn flood(
    report: &mut Report,
    scale: Scale,
    address: SocketAddr,
    login: impl Fn(usize) -> Ask + Clone + Send + 'static,
) {
    let miguel = somebody(address, "miguel").await;
    let time = Duration::from_secs(scale.of(10, 60));
    let unloaded = Duration::from_secs(5);
    let ceiling = hammer(address, 4, unloaded, login.clone()).await;
    let ceiling = with_status(&ceiling, 200) as f64 / unloaded.as_secs_f64();
    let began = Instant::now();
    let flood = tokio::spawn(hammer(address, 64, time, login));
    let recognised = steady(address, 100, time, move |_| me(&miguel)).await;
    let flood = flood.await.unwrap();
    let goodput = with_status(&flood, 200) as f64 / began.elapsed().as_secs_f64();
    let good = with_status(&recognised, 200) as f64 / recognised.len() as f64;
    report.tell("64 connections: logins", counts(&flood));
    report.tell("64 connections: me", counts(&recognised));
    report.check(
        "me: good answers",
        format!("{:.2} %", good * 100.0),
        "≥ 99.9 %",
        good >= 0.999,
    );
    report.within(
        "me: p99",
        percentile(&recognised, 0.99),
        Duration::from_millis(100),
    );
    report.check(
        "logins, relative to the unloaded rate",
        format!("{:.2}", goodput / ceiling),
        "≥ 0.80",
        goodput >= 0.8 * ceiling,
    );
}

/// Each of the two hashing threads may take so much.
fn within_memory(report: &mut Report, server: &Server, base: f64, each: f64) {
    let (memory, most) = (server.memory(), base + 2.0 * each + 64.0);
    report.check(
        "memory",
        format!("{memory:.0} MiB"),
        &format!("≤ {most:.0} MiB"),
        memory <= most,
    );
}

/// R6: bodies that are too large, declared, chunked or gzipped, all at once.
pub async fn large_bodies(report: &mut Report, scale: Scale) {
    let server = Server::with(WORKERS);
    let address = server.address();
    somebody(address, "susan").await;
    // Wait until the hashing buffers are freed.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let base = server.memory();
    let mut most: f64 = base;
    for _ in 0..scale.of(1, 5) {
        let mut all = tokio::task::JoinSet::new();
        for n in 0..2000 {
            all.spawn(large_body(address, n));
        }
        while !all.is_empty() {
            tokio::select! {
                Some(answer) = all.join_next() => {
                    let answer = answer.unwrap();
                    assert!(answer.is_none() || answer == Some(413), "answered {answer:?}");
                }
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            most = most.max(server.memory());
        }
    }
    report.check(
        "2000 connections: peak memory",
        format!("{most:.0} MiB"),
        "≤ 256 MiB",
        most <= 256.0,
    );
    tokio::time::sleep(Duration::from_secs(scale.of(25, 30))).await;
    let after = server.memory();
    let rest = format!("{after:.0} MiB of {base:.0} before");
    report.check(
        "memory afterwards",
        rest,
        "≤ before + 48 MiB",
        after <= base + 48.0,
    );
    let alive = crate::server::cookie(address, "susan").await.contains('=');
    report.check("still serving", alive, "true", alive);
}

/// Sends 60 KiB in one of three ways and stays for some seconds. Returns the status, if the connection survived.
async fn large_body(address: SocketAddr, n: usize) -> Option<u16> {
    let head = "POST /api/login HTTP/1.1\r\nHost: faults\r\nContent-Type: application/json\r\n";
    let mut stream = TcpStream::connect(address).await.ok()?;
    let large = vec![b'x'; 60 * 1024];
    let send = async {
        match n % 3 {
            0 => {
                let head = format!("{head}Content-Length: {}\r\n\r\n", large.len());
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&large).await?;
            }
            1 => {
                let head = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                for piece in large.chunks(15 * 1024) {
                    stream
                        .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
                        .await?;
                    stream.write_all(piece).await?;
                    stream.write_all(b"\r\n").await?;
                    // Pauses half-way, so the server must hold what has arrived.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            _ => {
                let bomb = bomb();
                let length = bomb.len();
                let head =
                    format!("{head}Content-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(bomb).await?;
            }
        }
        std::io::Result::Ok(())
    };
    let _ = send.await;
    let mut answer = [0; 12];
    let read = stream.read_exact(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(10), read).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    read.ok()?.ok()?;
    std::str::from_utf8(&answer[9..12]).ok()?.parse().ok()
}

/// 15 MiB of blanks in about 15 KiB.
fn bomb() -> &'static [u8] {
    static BOMB: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b' '; 15 << 20]).unwrap();
        encoder.finish().unwrap()
    });
    &BOMB
}

/// R7: a thousand connections that send a byte now and then.
pub async fn slow_connections(report: &mut Report, scale: Scale) {
    let server = Server::start();
    let address = server.address();
    let miguel = somebody(address, "miguel").await;
    somebody(address, "susan").await;
    let time = Duration::from_secs(scale.of(12, 60));
    let slow: Vec<_> = (0..1000)
        .map(|n| tokio::spawn(slow_connection(address, n)))
        .collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let recognised = steady(address, 100, time, move |_| me(&miguel)).await;
    slow.iter().for_each(|one| one.abort());
    report.tell("another client's answers", counts(&recognised));
    report.none(
        "another client's failures",
        recognised.len() - with_status(&recognised, 200),
    );
    report.within(
        "another client's p99",
        percentile(&recognised, 0.99),
        Duration::from_millis(200),
    );
}

/// Sends a head or a body, one byte a second, and reconnects when cut off.
async fn slow_connection(address: SocketAddr, n: usize) {
    let head = "POST /api/login HTTP/1.1\r\nHost: faults\r\nContent-Type: application/json\r\n";
    loop {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            continue;
        };
        let slow = if n.is_multiple_of(2) {
            head.to_owned()
        } else {
            let _ = stream
                .write_all(format!("{head}Content-Length: 1000\r\n\r\n").as_bytes())
                .await;
            " ".repeat(999)
        };
        for byte in slow.bytes() {
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
