//! A PostgreSQL of its own, filled with users and sessions as years of use would leave them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use latchkey::domain::secret;
use latchkey::store::db::connection::Connector;
use latchkey::store::db::migrations;
use latchkey::store::local::LocalPostgres;
use uuid::Uuid;

use crate::psql;

/// Rows per statement while filling.
const CHUNK: u64 = 100_000;

pub struct Database {
    pub sql: tokio_postgres::Client,
    pub conn: AsyncPgConnection,
    /// Users, and as many sessions.
    pub rows: u64,
    sockets: PathBuf,
    place: PathBuf,
    local: Option<LocalPostgres>,
}

impl Database {
    /// Without autovacuum, so that nothing but what is measured happens.
    pub async fn filled(rows: u64) -> Self {
        let place = crate::place(&rows.to_string());
        let local = tokio::task::block_in_place(|| LocalPostgres::start(&place).unwrap());
        let connector = local.connector();
        tokio::task::block_in_place(|| migrations::run(&connector).unwrap());
        let sockets = place.join("postgres/run");
        let database = Self {
            sql: psql::connect(&sockets).await,
            conn: connector.connect_without_limits().await.unwrap(),
            rows,
            sockets,
            place,
            local: Some(local),
        };
        database.set("autovacuum", "off").await;
        fill(&database.sql, &database.sockets, rows).await;
        database
    }

    pub async fn another(&self) -> tokio_postgres::Client {
        psql::connect(&self.sockets).await
    }

    pub fn connector(&self) -> Connector {
        self.local.as_ref().unwrap().connector()
    }

    /// Adds sessions that have expired.
    pub async fn expire(&self, rows: u64) {
        durable(&self.sql, "off").await;
        let chunk = |first, last| sessions(first, last, rows, self.rows, "31 days");
        insert(&self.sockets, rows, chunk).await;
        durable(&self.sql, "on").await;
    }

    pub async fn set(&self, name: &str, value: &str) {
        set(&self.sql, name, value).await;
    }

    pub async fn number(&self, expression: &str) -> f64 {
        number(&self.sql, expression).await
    }

    pub async fn run(&self, sql: &str) -> Duration {
        let began = Instant::now();
        self.sql.batch_execute(sql).await.unwrap();
        began.elapsed()
    }

    /// Numbers of users or sessions, at random.
    pub fn some(&self, count: usize) -> Vec<u64> {
        let random = || u64::from_le_bytes(secret::random().unwrap());
        (0..count).map(|_| 1 + random() % self.rows).collect()
    }

    /// The ids that `fill` gave to these users or sessions.
    pub async fn ids(&self, of: &str, numbers: &[u64]) -> Vec<Uuid> {
        let ids = format!("select md5('{of}' || n) from unnest({}) n", list(numbers));
        let rows = self.sql.query(&ids, &[]).await.unwrap();
        rows.iter()
            .map(|row| Uuid::parse_str(row.get(0)).unwrap())
            .collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.local.take();
        let _ = std::fs::remove_dir_all(&self.place);
    }
}

/// Nothing but random bits, unlike a UUIDv7.
pub fn random() -> Uuid {
    Uuid::from_bytes(secret::random().unwrap())
}

/// Numbers in SQL.
pub fn list(numbers: &[u64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    format!("'{{{}}}'::bigint[]", numbers.join(","))
}

async fn set(sql: &tokio_postgres::Client, name: &str, value: &str) {
    let set = format!("alter system set {name} = {value}");
    sql.batch_execute(&set).await.unwrap();
    sql.batch_execute("select pg_reload_conf(); select pg_sleep(0.2)")
        .await
        .unwrap();
}

async fn number(sql: &tokio_postgres::Client, expression: &str) -> f64 {
    let select = format!("select ({expression})::float8");
    sql.query_one(&select, &[]).await.unwrap().get(0)
}

async fn durable(sql: &tokio_postgres::Client, state: &str) {
    for setting in ["fsync", "full_page_writes"] {
        set(sql, setting, state).await;
    }
}

/// As many users as sessions, inserted row by row into the finished indexes, since one built afterwards is smaller than
/// one that grew.
async fn fill(sql: &tokio_postgres::Client, sockets: &Path, rows: u64) {
    durable(sql, "off").await;
    insert(sockets, rows, |first, last| users(first, last, rows)).await;
    insert(sockets, rows, |first, last| {
        sessions(first, last, rows, rows, "0")
    })
    .await;
    durable(sql, "on").await;
    sql.batch_execute("vacuum analyze users, sessions")
        .await
        .unwrap();
    sql.batch_execute("checkpoint").await.unwrap();
}

/// From two connections, in chunks, in order.
async fn insert(sockets: &Path, rows: u64, chunk: impl Fn(u64, u64) -> String) {
    let chunks = rows.div_ceil(CHUNK);
    let half = async |which: u64| {
        let sql = psql::connect(sockets).await;
        // Spares the foreign key's look at each user.
        sql.batch_execute("set session_replication_role = replica; set synchronous_commit = off")
            .await
            .unwrap();
        for number in (0..chunks).filter(|number| number % 2 == which) {
            let last = rows.min((number + 1) * CHUNK);
            let insert = chunk(number * CHUNK + 1, last);
            sql.batch_execute(&insert).await.unwrap();
        }
    };
    futures_util::future::join(half(0), half(1)).await;
}

/// Names of 8 to 12 letters in random order, and a hash as long as argon2's.
fn users(first: u64, last: u64, of: u64) -> String {
    format!(
        "insert into users (id, username, email, password_hash, created_at, last_login_at) \
         select md5('user' || n)::uuid, name, name || '@example.com', '$argon2id$v=19$m=19456,t=2,p=1$' \
           || left(encode(decode(md5('salt' || n), 'hex'), 'base64'), 22) || '$' || left(encode(sha256(n::text::bytea), 'base64'), 43), \
           now() - interval '1000 days' * (({of} - n)::float8 / {of}), now() - random() * interval '30 days' \
         from generate_series({first}, {last}) n, lateral (select left(md5(n::text), 4) || n as name) as named"
    )
}

/// Sessions of random users, four of five remembered for 30 days, the others open for 24 hours; all that began within
/// their lifetime, or that long and `ago` before now.
fn sessions(first: u64, last: u64, of: u64, users: u64, ago: &str) -> String {
    format!(
        "insert into sessions (id, key_hash, user_id, remembered, ip, user_agent, created_at, authenticated_at, last_seen_at, expires_at) \
         select md5('session' || '{mark}' || n)::uuid, sha256(('key' || '{mark}' || n)::bytea), md5('user' || 1 + floor(random() * {users}))::uuid, \
           remembered, ('198.18.' || n % 256 || '.' || n / 256 % 256)::inet, \
           'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/' || 100 + n % 40 || '.0.0.0 Safari/537.36', \
           made, made, made + random() * life * (({of} - n)::float8 / {of}), made + life \
         from generate_series({first}, {last}) n, lateral (select n % 5 <> 0 as remembered) as r, \
           lateral (select case when remembered then interval '30 days' else interval '24 hours' end as life) as l, \
           lateral (select now() + interval '1 hour' - interval '{ago}' - life * (({of} - n)::float8 / {of}) as made) as m",
        mark = if ago == "0" { "" } else { ago },
    )
}
