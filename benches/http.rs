//! Load over HTTP against the real binary and its local PostgreSQL, each figure beside a static actix route measured in
//! the same run, in turn. `cargo bench --bench http -- [rounds] [million]` prints a Markdown table; `million` adds a
//! table with a million users and sessions.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that prints its findings"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use latchkey::http::session::cookies::Cookies;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const ROUND: Duration = Duration::from_secs(3);
const SECRET_KEY: &str = "only-for-benchmarks-0123456789abcdef";
const PASSWORD: &str = "green-Lamp-42-river";
const WARM: usize = 1000;
/// More sessions than the cache holds, so that going round them never meets a kept one.
const COLD: usize = 250_000;

/// A server in a process of its own.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let line = lines
            .find(|line| line.contains("http://127.0.0.1:"))
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let address = line
            .split("http://")
            .nth(1)
            .unwrap()
            .trim_end_matches("/api")
            .to_owned();
        Self { child, address }
    }

    /// Seconds of processor time so far.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }

    fn rss_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

/// What a scenario's rounds add up to.
#[derive(Default)]
struct Figures {
    rates: Vec<f64>,
    latencies: Vec<f32>,
    good: usize,
    bad: usize,
    cpu: f64,
    /// MiB, at the end of the last round.
    memory: f64,
}

impl Figures {
    fn median_rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    }

    /// Milliseconds.
    fn percentile(&mut self, part: f64) -> f32 {
        self.latencies.sort_by(f32::total_cmp);
        let index = (self.latencies.len() as f64 * part) as usize;
        self.latencies[index.min(self.latencies.len() - 1)] * 1000.0
    }
}

/// Requests to be sent in turn.
type Requests = Arc<Vec<String>>;

fn get(path: &str, cookie: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\nCookie: {cookie}\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// One request; true if the answer was a 2xx.
async fn exchange(stream: &mut TcpStream, request: &str, buffer: &mut Vec<u8>) -> bool {
    stream.write_all(request.as_bytes()).await.unwrap();
    buffer.clear();
    loop {
        assert!(
            stream.read_buf(buffer).await.unwrap() > 0,
            "the server closed the connection"
        );
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end]).unwrap();
        let length = head.split("content-length: ").nth(1).map_or(0, |rest| {
            rest.split("\r\n").next().unwrap().parse().unwrap()
        });
        if buffer.len() >= end + 4 + length {
            return buffer[9] == b'2';
        }
    }
}

/// `connections` ask for `time`, each going through its share of the requests.
async fn load(
    server: &Server,
    requests: &Requests,
    connections: usize,
    time: Duration,
    figures: &mut Figures,
    from: usize,
) -> usize {
    let (began, cpu) = (Instant::now(), server.cpu());
    let workers: Vec<_> = (0..connections)
        .map(|worker| {
            let (requests, address) = (requests.clone(), server.address.clone());
            tokio::task::spawn_local(async move {
                let mut stream = TcpStream::connect(&address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut latencies, mut good, mut bad) = (Vec::new(), 0, 0);
                let (mut buffer, mut next) = (Vec::with_capacity(4096), from + worker);
                while began.elapsed() < time {
                    let sent = Instant::now();
                    let fine =
                        exchange(&mut stream, &requests[next % requests.len()], &mut buffer).await;
                    if fine {
                        good += 1
                    } else {
                        bad += 1
                    }
                    latencies.push(sent.elapsed().as_secs_f32());
                    next += connections;
                }
                (latencies, good, bad, next)
            })
        })
        .collect();
    let (mut done, mut furthest) = (0, 0);
    for worker in workers {
        let (latencies, good, bad, next) = worker.await.unwrap();
        done += good + bad;
        figures.latencies.extend(latencies);
        figures.good += good;
        figures.bad += bad;
        furthest = furthest.max(next);
    }
    figures
        .rates
        .push(done as f64 / began.elapsed().as_secs_f64());
    figures.cpu += server.cpu() - cpu;
    figures.memory = server.rss_mib();
    furthest
}

/// The cookie of session number `n` that `seed` put into the table.
fn key(n: usize) -> String {
    Sha256::digest(format!("bench {n}"))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Users and sessions by the thousand. They were seen "in an hour", so that reading them is measured without writing
/// down their use, which happens once a minute and not once a request.
async fn seed(sockets: &str, users: usize, sessions: usize) {
    let mut config = tokio_postgres::Config::new();
    config
        .host_path(sockets)
        .user("latchkey")
        .dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::task::spawn_local(connection);
    let sql = format!(
        "insert into users (username, email, password_hash) \
           select 'user' || n, 'user' || n || '@example.com', (select password_hash from users where username = 'susan') \
           from generate_series((select count(*) from users), {users}) n on conflict do nothing; \
         insert into sessions (key_hash, user_id, remembered, expires_at, last_seen_at) \
           select sha256(encode(sha256(('bench ' || n)::bytea), 'hex')::bytea), \
                  ids.all_ids[1 + n % array_length(ids.all_ids, 1)], true, now() + interval '1 day', now() + interval '1 hour' \
           from generate_series(0, {sessions} - 1) n, (select array_agg(id) all_ids from users where username like 'user%') ids on conflict do nothing; \
         analyze users, sessions; checkpoint"
    );
    client.batch_execute(&sql).await.unwrap();
}

/// Hashes a second on two threads with nothing else around, the ceiling of logins.
fn raw_argon2() -> f64 {
    let hash_for = |time: Duration| {
        let params = argon2::Params::new(19456, 2, 1, Some(32)).unwrap();
        let mut blocks = vec![argon2::Block::default(); params.block_count()];
        let argon =
            argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let (began, mut count) = (Instant::now(), 0);
        while began.elapsed() < time {
            argon
                .hash_password_into_with_memory(
                    PASSWORD.as_bytes(),
                    &[7; 16],
                    &mut [0; 32],
                    &mut blocks,
                )
                .unwrap();
            count += 1;
        }
        f64::from(count) / began.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let both = [
            scope.spawn(|| hash_for(ROUND)),
            scope.spawn(|| hash_for(ROUND)),
        ];
        both.into_iter().map(|one| one.join().unwrap()).sum()
    })
}

/// The static route, in a process of its own: this program again.
async fn serve_ceiling(length: usize) {
    let body = web::Bytes::from("x".repeat(length));
    let server = HttpServer::new(move || {
        let body = body.clone();
        App::new().route(
            "/api/me",
            web::get().to(move || {
                let body = body.clone();
                async move {
                    HttpResponse::Ok()
                        .content_type("application/json")
                        .body(body)
                }
            }),
        )
    });
    let server = server.workers(2).bind("127.0.0.1:0").unwrap();
    println!("http://{}", server.addrs()[0]);
    server.run().await.unwrap();
}

struct Bench {
    server: Server,
    ceiling: Server,
    rounds: usize,
}

impl Bench {
    async fn run(&self, cold_sessions: usize, title: &str) {
        let cookies = Cookies::new(SECRET_KEY, false);
        let me = |n| get("/api/me", &cookies.signed(&key(n)));
        let warm: Requests = Arc::new((0..WARM).map(me).collect());
        let cold: Requests = Arc::new((WARM..cold_sessions).map(me).collect());
        let login = |n| {
            post(
                "/api/login",
                &format!("{{\"username\": \"user{n}\", \"password\": \"{PASSWORD}\"}}"),
            )
        };
        let login: Requests = Arc::new((1..WARM).map(login).collect());
        let stamp = std::process::id();
        let register = |n| {
            post(
                "/api/register",
                &format!(
                    "{{\"username\": \"r{stamp}-{title}-{n}\", \"email\": \"r{stamp}{title}{n}@example.com\", \"password\": \"{PASSWORD}\"}}"
                ),
            )
        };
        let register: Requests = Arc::new((0..20_000).map(register).collect());
        let mut all: [Figures; 6] = Default::default();
        let (mut cold_from, mut register_from, mut raw) = (0, 0, Vec::new());
        load(
            &self.server,
            &warm,
            CONNECTIONS,
            Duration::from_millis(500),
            &mut Figures::default(),
            0,
        )
        .await;
        for _ in 0..self.rounds {
            load(&self.ceiling, &warm, CONNECTIONS, ROUND, &mut all[0], 0).await;
            load(
                &self.server,
                &warm,
                CONNECTIONS,
                Duration::from_millis(200),
                &mut Figures::default(),
                0,
            )
            .await;
            load(&self.server, &warm, CONNECTIONS, ROUND, &mut all[1], 0).await;
            cold_from = load(
                &self.server,
                &cold,
                CONNECTIONS,
                ROUND,
                &mut all[2],
                cold_from,
            )
            .await;
            raw.push(raw_argon2());
            load(&self.server, &login, CONNECTIONS, ROUND, &mut all[3], 0).await;
            register_from = load(
                &self.server,
                &register,
                CONNECTIONS,
                ROUND,
                &mut all[4],
                register_from,
            )
            .await;
            // Recognising people while others log in as fast as they can.
            let mut flood = Figures::default();
            let (_, _) = tokio::join!(
                load(&self.server, &login, CONNECTIONS, ROUND, &mut flood, 0),
                load(&self.server, &warm, 4, ROUND, &mut all[5], 0),
            );
        }
        raw.sort_by(f64::total_cmp);
        let (top, raw) = (all[0].median_rate(), raw[raw.len() / 2]);
        println!(
            "\n### {title}\n\n| what | req/s | of the ceiling | p50 ms | p99 ms | CPU µs/req | refused | memory MiB |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        let names = [
            "static actix route",
            "/api/me, warm",
            "/api/me, cold",
            "login",
            "register",
            "/api/me in a login flood",
        ];
        for (figures, name) in all.iter_mut().zip(names) {
            let rate = figures.median_rate();
            let cpu = figures.cpu * 1e6 / (figures.good + figures.bad) as f64;
            let (p50, p99) = (figures.percentile(0.5), figures.percentile(0.99));
            println!(
                "| {name} | {rate:.0} | {:.3} | {p50:.2} | {p99:.2} | {cpu:.1} | {} | {:.0} |",
                rate / top,
                figures.bad,
                figures.memory
            );
        }
        println!(
            "\nargon2 alone on two threads: {raw:.1}/s; logins reach {:.2} of it.",
            all[3].median_rate() / raw
        );
    }
}

/// Two instances: how long after a logout on the one was answered the other still recognises the session.
async fn revocation(data: &std::path::Path, first: &Server, sockets: &str) {
    let mut command = latchkey(data);
    command.env(
        "DATABASE_URL",
        format!("postgres://latchkey@localhost/postgres?host={sockets}"),
    );
    let second = Server::start(&mut command);
    let cookies = Cookies::new(SECRET_KEY, false);
    let (mut a, mut b) = (
        TcpStream::connect(&first.address).await.unwrap(),
        TcpStream::connect(&second.address).await.unwrap(),
    );
    let (mut buffer, mut delays, mut stale) = (Vec::new(), Vec::new(), 0);
    for n in 0..1000 {
        let cookie = cookies.signed(&key(n));
        let me = get("/api/me", &cookie);
        assert!(
            exchange(&mut b, &me, &mut buffer).await && exchange(&mut b, &me, &mut buffer).await
        );
        let logout = get("/api/logout", &cookie).replacen("GET", "POST", 1);
        assert!(exchange(&mut a, &logout, &mut buffer).await);
        let answered = Instant::now();
        while exchange(&mut b, &me, &mut buffer).await {}
        delays.push(answered.elapsed().as_secs_f64() * 1000.0);
        for _ in 0..5 {
            stale += usize::from(exchange(&mut b, &me, &mut buffer).await);
        }
    }
    delays.sort_by(f64::total_cmp);
    println!(
        "\n1000 logouts on one instance, seen by the other after: median {:.2} ms, p99 {:.2} ms, worst {:.2} ms; recognised again after that: {stale}.",
        delays[500], delays[990], delays[999]
    );
}

fn latchkey(data: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.args([
        "serve",
        "--listen=127.0.0.1:0",
        "--workers=2",
        "--hash-workers=2",
        "--secret-key",
        SECRET_KEY,
    ]);
    command
        .arg("--data-dir")
        .arg(data)
        .env_remove("DATABASE_URL")
        .env("LATCHKEY_LOG", "error")
        .env("LATCHKEY_RATE_LIMITS", "off");
    command
}

#[actix_web::main]
async fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let Some(length) = arguments
        .iter()
        .position(|argument| argument == "--ceiling")
    {
        return serve_ceiling(arguments[length + 1].parse().unwrap()).await;
    }
    let rounds = arguments
        .first()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(3);
    let data = std::env::temp_dir().join(format!("latchkey-bench-{}", std::process::id()));
    let server = Server::start(&mut latchkey(&data));
    println!("Memory of the idle server: {:.1} MiB.", server.rss_mib());

    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let mut buffer = Vec::new();
    let susan = format!(
        "{{\"username\": \"susan\", \"email\": \"susan@example.com\", \"password\": \"{PASSWORD}\"}}"
    );
    assert!(exchange(&mut stream, &post("/api/register", &susan), &mut buffer).await);
    let sockets = data.join("postgres/run").display().to_string();
    seed(&sockets, COLD / 10, COLD).await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let cookies = Cookies::new(SECRET_KEY, false);
    assert!(
        exchange(
            &mut stream,
            &get("/api/me", &cookies.signed(&key(0))),
            &mut buffer
        )
        .await
    );
    let whole = buffer.len();

    // The ceiling answers with as many bytes in all: its head is shorter, its body longer.
    let myself = std::env::current_exe().unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\ncontent-type: application/json\r\ndate: Mon, 23 Nov 2026 19:07:34 GMT\r\n\r\n".len();
    let ceiling =
        Server::start(Command::new(myself).args(["--ceiling", &(whole - head).to_string()]));
    let bench = Bench {
        server,
        ceiling,
        rounds,
    };
    println!(
        "{whole} bytes an answer, {CONNECTIONS} connections, {rounds} rounds of {} s, medians of the rounds' rates.",
        ROUND.as_secs()
    );
    bench.run(COLD, "empty").await;
    revocation(&data, &bench.server, &sockets).await;
    if arguments.iter().any(|argument| argument == "million") {
        seed(&sockets, 1_000_000, 1_000_000).await;
        bench.run(1_000_000, "million").await;
    }
    drop(bench);
    let _ = std::fs::remove_dir_all(&data);
}
