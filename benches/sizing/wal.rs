//! Bytes of write-ahead log that each of the program's statements writes.

use std::net::Ipv4Addr;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use latchkey::auth::events::{self, Kind};
use latchkey::domain::client::{Client, Devices};
use latchkey::domain::email::Email;
use latchkey::domain::password::PasswordHash;
use latchkey::domain::secret::SessionKey;
use latchkey::domain::username::Username;
use latchkey::store::login::{self, NewSession};
use latchkey::store::users::NewUser;
use latchkey::store::{events as security_events, sessions, users};
use uuid::Uuid;

use crate::database::{Database, random};

const TIMES: usize = 2000;
/// Written uses in one statement; the program writes up to 1000.
pub const BATCH: usize = 1000;
const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zm9ydHktdGhyZWUgY2hhcmFjdGVycyBvZiBiYXNlNjQgIQA";

/// Bytes of log a statement.
pub struct Wal {
    pub what: &'static str,
    /// Without images of whole pages.
    pub records: f64,
    /// Where each page is written for the first time since the checkpoint.
    pub first: f64,
}

pub fn client() -> Client {
    let host = random().into_bytes();
    Client {
        ip: Ipv4Addr::new(198, 18, host[0], host[1]).into(),
        user_agent: Some(USER_AGENT.to_owned()),
        request_id: random(),
        devices: Devices::default(),
        locale: None,
    }
}

pub async fn register(conn: &mut AsyncPgConnection) {
    let name = format!("n{}", &random().simple().to_string()[..11]);
    let user = NewUser {
        username: &Username::parse(&name).ok().unwrap(),
        email: Some(&Email::parse(&format!("{name}@example.com")).ok().unwrap()),
        pending_email: None,
        password_hash: Some(&PasswordHash::new(HASH.to_owned())),
        locale: None,
    };
    let user = users::insert(conn, &user).await.unwrap();
    let event = events::made(Kind::Registered, Some(user.id), &client());
    security_events::insert(conn, &[event]).await.unwrap();
}

/// The statement that starts a session. Returns its id.
pub async fn log_in(conn: &mut AsyncPgConnection, user_id: Uuid) -> Uuid {
    let (client, key) = (client(), SessionKey::generate().unwrap());
    let new = NewSession {
        methods: &["password"],
        factors: 1,
        is_enough: false,
        locale: None,
        user_id,
        password_epoch: 0,
        key_hash: &key.hash(),
        remembered: true,
        network: client.neighbourhood(),
        lifetime: Duration::from_secs(30 * 86_400),
        event: &events::made(Kind::LoggedIn, Some(user_id), &client),
    };
    let started = login::start(conn, new).await.unwrap().unwrap();
    started.session.id
}

pub async fn log_out(conn: &mut AsyncPgConnection, user_id: Uuid, id: Uuid) {
    let ended = sessions::end_of_user(conn, user_id, id).await.unwrap();
    assert!(ended.is_some());
    let event = events::made(Kind::LoggedOut, Some(user_id), &client());
    security_events::insert(conn, &[event]).await.unwrap();
}

pub async fn touch(conn: &mut AsyncPgConnection, ids: &[Uuid]) {
    for batch in ids.chunks(BATCH) {
        let uses: Vec<_> = batch.iter().map(|id| (*id, Duration::ZERO)).collect();
        sessions::touch(conn, &uses).await.unwrap();
    }
}

async fn position(database: &Database) -> f64 {
    database
        .number("pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        .await
}

/// What `work` writes, `times` of it, with and without whole pages.
async fn measure(
    database: &mut Database,
    what: &'static str,
    mut work: impl AsyncFnMut(&mut Database),
) -> Wal {
    let mut bytes = [0.0; 2];
    for (whole_pages, bytes) in ["off", "on"].into_iter().zip(&mut bytes) {
        database.set("full_page_writes", whole_pages).await;
        database.run("checkpoint").await;
        let before = position(database).await;
        work(database).await;
        *bytes = (position(database).await - before) / TIMES as f64;
    }
    Wal {
        what,
        records: bytes[0],
        first: bytes[1],
    }
}

pub async fn measure_all(database: &mut Database) -> Vec<Wal> {
    let mut open: Vec<(Uuid, Uuid)> = Vec::new();
    let registration = measure(database, "registration", async |database| {
        for _ in 0..TIMES {
            register(&mut database.conn).await;
        }
    });
    let mut all = vec![registration.await];
    let login = measure(database, "login", async |database| {
        let numbers = database.some(TIMES);
        for user in database.ids("user", &numbers).await {
            open.push((user, log_in(&mut database.conn, user).await));
        }
    });
    all.push(login.await);
    let touch = measure(database, "written use", async |database| {
        let numbers = database.some(TIMES);
        let ids = database.ids("session", &numbers).await;
        touch(&mut database.conn, &ids).await;
    });
    all.push(touch.await);
    let logout = measure(database, "logout", async |database| {
        for (user, session) in open.split_off(open.len() - TIMES) {
            log_out(&mut database.conn, user, session).await;
        }
    });
    all.push(logout.await);
    all
}

pub fn print(rows: &[u64], measured: &[Vec<Wal>]) {
    crate::print_head("bytes of WAL: records / with whole pages", rows);
    for (index, first) in measured[0].iter().enumerate() {
        let cells = measured.iter().map(|all| {
            let wal = &all[index];
            format!("{:.0} / {:.0}", wal.records, wal.first)
        });
        crate::print_line(first.what, cells);
    }
}
