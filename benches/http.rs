//! Load over HTTP against the real binary and its local PostgreSQL, each figure beside a static actix route measured in
//! the same run, in turn. `cargo bench --bench http -- [rounds] [million]` prints a Markdown table; `million` adds a
//! table with a million users and sessions. Trust the ratio by CPU first: the rates are also the load generator's.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that prints its findings"
)]

#[path = "support/psql.rs"]
mod psql;
#[path = "support/static_route.rs"]
mod static_route;
mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey::http::session::cookies::Cookies;
use sha2::{Digest, Sha256};
use support::{PASSWORD, Server, get, is_whole, post, registration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const ROUND: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_millis(500);
const SECRET_KEY: &str = "only-for-benchmarks-0123456789abcdef";
const WARM: usize = 1000;
/// More sessions than the cache holds, so that going round them never meets a kept one.
const COLD: usize = 250_000;

impl Server {
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

    /// Seconds of the server's processor time a request.
    fn cpu_each(&self) -> f64 {
        self.cpu / (self.good + self.bad) as f64
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

/// One request; true if the answer was a 2xx.
async fn exchange(stream: &mut TcpStream, request: &str, buffer: &mut Vec<u8>) -> bool {
    stream.write_all(request.as_bytes()).await.unwrap();
    buffer.clear();
    loop {
        assert!(
            stream.read_buf(buffer).await.unwrap() > 0,
            "the server closed the connection"
        );
        if is_whole(buffer) {
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
    let client = psql::connect(Path::new(sockets)).await;
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

struct Bench {
    server: Server,
    /// The same with LATCHKEY_METRICS_LISTEN, on the same database.
    metered: Server,
    ceiling: Server,
    rounds: usize,
}

const SCENARIOS: [&str; 8] = [
    "static actix route",
    "/api/me, warm",
    "/api/me, warm, with metrics",
    "/api/me, cold",
    "login",
    "register",
    "/api/me in a login flood",
    "/api/verify with a role, warm",
];

impl Bench {
    /// `load` from all connections.
    async fn all(
        &self,
        server: &Server,
        requests: &Requests,
        time: Duration,
        figures: &mut Figures,
        from: usize,
    ) -> usize {
        load(server, requests, CONNECTIONS, time, figures, from).await
    }

    async fn run(&self, cold_sessions: usize, title: &str) {
        let cookies = Cookies::new(SECRET_KEY, false);
        let me = |n| get("/api/me", &cookies.signed(&key(n)));
        let warm: Requests = Arc::new((0..WARM).map(me).collect());
        let verify = |n| {
            let method = "X-Forwarded-Method: POST\r\nAccept";
            get("/api/verify?role=user", &cookies.signed(&key(n))).replacen("Accept", method, 1)
        };
        let verify: Requests = Arc::new((0..WARM).map(verify).collect());
        let cold: Requests = Arc::new((WARM..cold_sessions).map(me).collect());
        let login = |n| {
            let form = format!("{{\"username\": \"user{n}\", \"password\": \"{PASSWORD}\"}}");
            post("/api/login", &form)
        };
        let login: Requests = Arc::new((1..WARM).map(login).collect());
        let stamp = std::process::id();
        let register = |n| {
            post(
                "/api/register",
                &registration(&format!("r{stamp}{title}{n}")),
            )
        };
        let register: Requests = Arc::new((0..20_000).map(register).collect());

        let server = &self.server;
        let mut all: [Figures; SCENARIOS.len()] = Default::default();
        let (mut cold_from, mut register_from, mut raw) = (0, 0, Vec::new());
        for _ in 0..self.rounds {
            self.all(&self.ceiling, &warm, ROUND, &mut all[0], 0).await;
            self.all(server, &warm, WARM_UP, &mut Figures::default(), 0)
                .await;
            self.all(server, &warm, ROUND, &mut all[1], 0).await;
            self.all(server, &verify, ROUND, &mut all[7], 0).await;
            self.all(&self.metered, &warm, WARM_UP, &mut Figures::default(), 0)
                .await;
            self.all(&self.metered, &warm, ROUND, &mut all[2], 0).await;
            cold_from = self.all(server, &cold, ROUND, &mut all[3], cold_from).await;
            raw.push(raw_argon2());
            self.all(server, &login, ROUND, &mut all[4], 0).await;
            register_from = self
                .all(server, &register, ROUND, &mut all[5], register_from)
                .await;
            // Recognising people while others log in as fast as they can.
            let mut flood = Figures::default();
            let (_, _) = tokio::join!(
                self.all(server, &login, ROUND, &mut flood, 0),
                load(server, &warm, 4, ROUND, &mut all[6], 0),
            );
        }
        raw.sort_by(f64::total_cmp);
        print_table(title, &mut all, raw[raw.len() / 2]);
    }
}

fn print_table(title: &str, all: &mut [Figures], raw_argon2: f64) {
    println!("\n### {title}\n");
    println!(
        "| what | of the ceiling, CPU | of the ceiling, rate | CPU µs/req | req/s | p50 ms | p99 ms | refused | memory MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let (top_cpu, top_rate) = (all[0].cpu_each(), all[0].median_rate());
    for (figures, name) in all.iter_mut().zip(SCENARIOS) {
        let (cpu, rate) = (figures.cpu_each(), figures.median_rate());
        let (p50, p99) = (figures.percentile(0.5), figures.percentile(0.99));
        println!(
            "| {name} | {:.3} | {:.3} | {:.1} | {rate:.0} | {p50:.2} | {p99:.2} | {} | {:.0} |",
            top_cpu / cpu,
            rate / top_rate,
            cpu * 1e6,
            figures.bad,
            figures.memory
        );
    }
    println!(
        "\nargon2 alone on two threads: {raw_argon2:.1}/s; logins reach {:.2} of it.",
        all[4].median_rate() / raw_argon2
    );
    println!(
        "/api/verify reaches {:.2} of the rate of /api/me (promised: 0.90).",
        all[7].median_rate() / all[1].median_rate()
    );
}

/// Two instances: how long after a logout on the one was answered the other still recognises the session.
async fn revocation(data: &std::path::Path, first: &Server, sockets: &str) {
    let second = Server::start(&mut sibling(data, sockets));
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
    let mut command = support::serve(env!("CARGO_BIN_EXE_latchkey"), data, 2);
    command.args(["--secret-key", SECRET_KEY]);
    command
}

/// Another instance on the database of the first.
fn sibling(data: &std::path::Path, sockets: &str) -> Command {
    let mut command = latchkey(data);
    command.env(
        "DATABASE_URL",
        format!("postgres://latchkey@localhost/postgres?host={sockets}"),
    );
    command
}

#[actix_web::main]
async fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let [first, answer] = &arguments[..]
        && first == "--static-route"
    {
        return static_route::serve(answer, 2).await;
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
    let susan = post("/api/register", &registration("susan"));
    assert!(exchange(&mut stream, &susan, &mut buffer).await);
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
    let ceiling = Server::start(&mut static_route::command(&buffer));
    let mut metered = sibling(&data, &sockets);
    metered.env("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0");
    let bench = Bench {
        server,
        metered: Server::start(&mut metered),
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
