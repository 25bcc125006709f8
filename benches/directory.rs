//! How long administrators wait for a page of a million users: `cargo bench --bench directory -- [users]`. It prints a
//! Markdown table, one row for each kind of question (SECURITY J7).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that prints its findings"
)]

#[path = "support/psql.rs"]
mod psql;
mod support;

use std::time::Instant;

use support::{PASSWORD, Server, get, is_whole, post, registration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Requests of each kind.
const ASKED: usize = 500;

/// Half of the names begin with `user`, the others with any two letters. Of a thousand users one is disabled, 200 have the
/// role `viewer`, ten `editor:media`, and most have not proven their address.
const SEED: &str = "
    alter table users disable trigger user;
    insert into users (username, email, password_hash, created_at, disabled_at, email_verified_at)
    select case when n % 2 = 0 then 'user' else chr(97 + n % 26) || chr(97 + n / 26 % 26) || 'x' end || n, chr(97 + n / 7 % 26) || 'y' || n || '@example.com',
        '$argon2id$', now() - make_interval(secs => n), case when n % 1000 = 0 then now() end,
        case when n % 3 = 0 then now() end
    from generate_series(1, $users) n;
    alter table users enable trigger user;
    alter table user_roles disable trigger user;
    insert into user_roles (user_id, role, area)
    select id, 'editor', 'media' from users where hashtext(username) % 100 = 7;
    insert into user_roles (user_id, role) select id, 'other' from users where right(username, 2) = '07';
    insert into user_roles (user_id, role) select id, 'viewer' from users where hashtext(username) % 5 = 1;
    insert into user_roles (user_id, role) select id, 'seldom' from users where username like '%77777';
    alter table user_roles enable trigger user;
    insert into sessions (user_id, key_hash, remembered, ip, expires_at)
    select id, sha256(id::text::bytea), false, '::1', now() + interval '1 day' from users
    where right(username, 1) = '3';
    analyze;
";

/// Each kind of question, with `$a`, `$b` as two letters and `$n` as a number that differ in each request.
const KINDS: [(&str, &str); 19] = [
    ("the first page", "limit=50"),
    ("the next pages, a hundred users each", "limit=100"),
    ("a name, two letters", "q=$a$b"),
    ("a whole name", "q=$a$bx$n"),
    ("an address", "q=$ay$n"),
    ("nobody", "q=nobody$n"),
    ("%, _ and \\", "q=%25_%5C"),
    ("two letters, disabled", "q=$a$b&state=disabled"),
    ("two letters, unverified", "q=$a$b&state=unverified"),
    ("two letters, a usual role", "q=$a$b&role=editor:media"),
    ("two letters, a rare role", "q=$a$b&role=seldom"),
    ("half of all", "q=us"),
    ("half of all, disabled", "q=us&state=disabled"),
    ("half of all, a usual role", "q=us&role=editor:media"),
    ("half of all, a rare role", "q=us&role=seldom"),
    ("half of all, a common role", "q=us&role=viewer"),
    (
        "half of all, a role that only the others have",
        "q=us&role=other",
    ),
    ("disabled, a rare role", "state=disabled&role=seldom"),
    ("a usual role", "role=editor:media"),
];

struct Client {
    stream: TcpStream,
    cookie: String,
}

impl Client {
    async fn send(&mut self, request: &str) -> String {
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !is_whole(&answer) {
            assert!(self.stream.read_buf(&mut answer).await.unwrap() > 0);
        }
        String::from_utf8(answer).unwrap()
    }

    /// The answer to a question, and the milliseconds that it took.
    async fn ask(&mut self, query: &str) -> (String, f64) {
        let request = get(&format!("/api/admin/users?{query}"), &self.cookie);
        let began = Instant::now();
        let answer = self.send(&request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{query}: {answer}");
        (answer, began.elapsed().as_secs_f64() * 1000.0)
    }

    /// The milliseconds of each question of a kind.
    async fn ask_all(&mut self, kind: &str, users: usize) -> Vec<f64> {
        let follows = kind == "limit=100";
        let (mut all, mut cursor) = (Vec::new(), String::new());
        for n in 0..ASKED {
            let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
            let query = kind
                .replace("$a", &letter(n).to_string())
                .replace("$b", &letter(n / 26).to_string())
                .replace("$n", &(n * users / ASKED).to_string());
            let (answer, took) = self.ask(&format!("{query}{cursor}")).await;
            all.push(took);
            if let (true, Some((_, rest))) = (follows, answer.split_once("next_cursor\":\"")) {
                cursor = format!("&cursor={}", rest.split('"').next().unwrap());
            }
        }
        all
    }
}

#[actix_web::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let users = arguments.find_map(|users| users.parse().ok());
    let users = users.unwrap_or(1_000_000);
    let data = std::env::temp_dir().join(format!("latchkey-directory-{}", std::process::id()));
    let server = Server::start(&mut support::serve(
        env!("CARGO_BIN_EXE_latchkey"),
        &data,
        2,
    ));
    let mut client = Client {
        stream: TcpStream::connect(&server.address).await.unwrap(),
        cookie: String::new(),
    };
    client
        .send(&post("/api/register", &registration("boss")))
        .await;
    let psql = psql::connect(&data.join("postgres/run")).await;
    let grant = "insert into user_roles (user_id, role) select id, 'admin' from users";
    psql.batch_execute(grant).await.unwrap();
    let seed = SEED.replace("$users", &users.to_string());
    psql.batch_execute(&seed).await.unwrap();
    // The server has closed the idle one.
    client.stream = TcpStream::connect(&server.address).await.unwrap();
    let form = format!("{{\"username\": \"boss\", \"password\": \"{PASSWORD}\"}}");
    let login = client.send(&post("/api/login", &form)).await;
    let (_, cookie) = login.split_once("set-cookie: ").unwrap();
    client.cookie = cookie.split(';').next().unwrap().to_owned();

    println!("{users} users, {ASKED} requests of each kind, milliseconds.\n");
    println!("| what | p50 | p99 | worst |\n| --- | --- | --- | --- |");
    for (name, kind) in KINDS {
        client.ask(&kind.replace('$', "")).await;
        let mut all = client.ask_all(kind, users).await;
        all.sort_by(f64::total_cmp);
        let (p50, p99) = (all[ASKED / 2], all[ASKED * 99 / 100]);
        let worst = all[ASKED - 1];
        println!("| {name} | {p50:.2} | {p99:.2} | {worst:.2} |");
    }
    drop(server);
    let _ = std::fs::remove_dir_all(&data);
}
