//! Everything a test needs: its own server, visitors, and access to its database.

pub mod arrows;
pub mod authenticator;
mod contract;
mod database;
mod hasher;
pub mod process;
pub mod provider;
pub mod proxy;
pub mod smtp;
mod visitor;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use clap::Parser;
use latchkey::auth::services::Services;
use latchkey::config::Settings;
use latchkey::domain::client::{Client, Devices};
use latchkey::http::site::OwnRoutes;
use latchkey::store::db::connection::Connector;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use proxy::{Line, Proxy};
use smtp::Smtp;

pub use contract::document;
pub use database::Database;
pub use visitor::{Reply, Visitor, send};

/// How many servers run at a time. Each holds a handful of database connections.
static PLACES: std::sync::LazyLock<Arc<Semaphore>> =
    std::sync::LazyLock::new(|| Arc::new(Semaphore::new(8)));

pub const PASSWORD: &str = "green-Lamp-42-river";
pub const SECRET_KEY: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

#[derive(Parser)]
#[command(args_override_self = true)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// Settings as from the command line, with a hash cheap enough for tests only.
pub fn settings(arguments: &[&str]) -> Settings {
    let usual = [
        "latchkey",
        "--listen=127.0.0.1:0",
        "--public-url=http://localhost:8080",
        "--workers=1",
        "--hash-workers=2",
        "--db-pool=4",
        "--rate-limits=off",
    ];
    let mut settings = Arguments::parse_from(usual.iter().chain(arguments)).settings;
    settings.passwords.argon2 = argon2::Params::new(64, 1, 1, Some(32)).unwrap();
    settings
}

/// A running server.
pub struct App {
    pub address: SocketAddr,
    /// Of the operations listener.
    pub ops: Option<SocketAddr>,
    pub services: Services,
    pub database: Database,
    handle: Option<ServerHandle>,
    thread: Option<JoinHandle<()>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl App {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A server with these flags and its own database.
    pub async fn with(arguments: &[&str]) -> Self {
        let place = PLACES.clone().acquire_owned().await.unwrap();
        let database = Database::create().await;
        let mut app = Self::on(database, settings(arguments));
        app._place = Some(place);
        app.wait_for_cache().await;
        app
    }

    /// A server that sends its mails to this one, and none about logins.
    pub async fn with_mail(smtp: &Smtp, arguments: &[&str]) -> Self {
        let url = format!("--smtp-url=smtp://127.0.0.1:{}", smtp.port);
        let usual = [&*url, "--sign-in-notice=off"];
        Self::with(&[&usual, arguments].concat()).await
    }

    /// Another server on the same database.
    pub async fn sibling(&self, arguments: &[&str]) -> Self {
        let app = Self::on(self.database.share(), settings(arguments));
        app.wait_for_cache().await;
        app
    }

    fn on(database: Database, settings: Settings) -> Self {
        let connector = database.connector();
        Self::through(database, connector, settings)
    }

    /// A server that reaches its database through another connector.
    pub fn through(database: Database, connector: Connector, settings: Settings) -> Self {
        Self::serving(database, connector, settings, None)
    }

    /// A server with endpoints of its own.
    pub async fn with_own(routes: OwnRoutes) -> Self {
        let database = Database::create().await;
        let connector = database.connector();
        let app = Self::serving(database, connector, settings(&[]), Some(routes));
        app.wait_for_cache().await;
        app
    }

    fn serving(
        database: Database,
        connector: Connector,
        settings: Settings,
        own: Option<OwnRoutes>,
    ) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        let mails = database.mail_folder();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let instance =
                    latchkey::app::build_with(&settings, connector, SECRET_KEY, &mails, own)
                        .unwrap();
                tell.send((
                    instance.address,
                    instance.ops.as_ref().map(|ops| ops.address),
                    instance.services.clone(),
                    instance.server.handle(),
                ))
                .unwrap();
                let never = std::future::pending();
                latchkey::app::run(instance, never).await.unwrap();
            });
        });
        let (address, ops, services, handle) = told.recv().unwrap();
        Self {
            address,
            ops,
            services,
            database,
            handle: Some(handle),
            thread: Some(thread),
            _place: None,
        }
    }

    /// A server with these flags that reaches its database through a proxy.
    pub async fn behind_proxy(line: Line, arguments: &[&str]) -> (Self, Proxy) {
        let database = Database::create().await;
        let socket = database.sockets().join(".s.PGSQL.5432");
        let proxy = Proxy::start(socket, line).await;
        // A deaf line parses whole messages, but the response to a TLS request is a single byte.
        let url = format!(
            "postgres://latchkey@127.0.0.1:{}/{}?sslmode=disable",
            proxy.port,
            database.name()
        );
        let connector = Connector::from_url(&url).unwrap();
        (
            Self::through(database, connector, settings(arguments)),
            proxy,
        )
    }

    /// The database accepts no writes from now on, as after a switchover behind a proxy: every connection is cut, and
    /// new ones are read-only.
    pub async fn refuse_writes(&self) {
        let name = self.database.name();
        self.sql(&format!(
            "alter database {name} set default_transaction_read_only = on"
        ))
        .await;
        self.sql(&format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
        ))
        .await;
    }

    /// Waits for the cache. Until it opens, the server reads every session from the database.
    pub async fn wait_for_cache(&self) {
        wait_until("the session cache is open", async || {
            self.services.sessions.is_open()
        })
        .await;
    }

    /// A visitor with an empty cookie jar.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(self.address)
    }

    /// A visitor who registered under this name.
    pub async fn registered(&self, name: &str) -> Visitor {
        let visitor = self.visitor();
        let form =
            json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        visitor.post("/api/register", form).await.expect(201);
        visitor
    }

    /// A visitor who registered and logged in.
    pub async fn logged_in(&self, name: &str) -> Visitor {
        let visitor = self.registered(name).await;
        visitor.log_in(name).await.expect(200);
        visitor
    }

    /// Runs SQL on the server's database, as someone in psql would.
    pub async fn sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.database.sql(sql).await
    }

    /// The single number that a query returns.
    pub async fn count(&self, sql: &str) -> i64 {
        self.sql(sql).await[0][0].as_ref().unwrap().parse().unwrap()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else {
            return;
        };
        std::mem::drop(handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A client that no test uses otherwise.
pub fn somebody() -> Client {
    Client {
        ip: [192, 0, 2, 1].into(),
        user_agent: Some("x".repeat(256)),
        request_id: uuid::Uuid::nil(),
        devices: Devices::default(),
        locale: None,
    }
}

/// Waits for a condition. Fails the test after 30 s.
pub async fn wait_until(what: &str, condition: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("did not happen within 30 s: {what}");
}

/// The result of many simultaneous requests.
pub struct AtOnce {
    /// The final response to each.
    pub replies: Vec<Reply>,
    /// How many responses were 503.
    pub put_off: usize,
    pub took: Duration,
}

/// Sends `count` requests at once, and retries those that get a 503 from a busy machine.
pub async fn at_once(count: usize, ask: impl AsyncFn(usize) -> Reply) -> AtOnce {
    let (began, mut put_off) = (Instant::now(), 0);
    let mut replies: Vec<Option<Reply>> = (0..count).map(|_| None).collect();
    while replies.iter().any(Option::is_none) {
        let asking = replies.iter_mut().enumerate();
        let asking = asking.filter(|(_, reply)| reply.is_none());
        let asked = asking.map(|(n, reply)| {
            let answer = ask(n);
            async { *reply = Some(answer.await).filter(|reply| reply.status != 503) }
        });
        futures_util::future::join_all(asked).await;
        put_off += replies.iter().filter(|reply| reply.is_none()).count();
        assert!(put_off < 100 * count, "503 forever");
    }
    AtOnce {
        replies: replies.into_iter().flatten().collect(),
        put_off,
        took: began.elapsed(),
    }
}

/// The account that runs PostgreSQL, if the tests run as root.
pub fn postgres_account() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let done = std::process::Command::new("id")
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(done.stdout)
            .unwrap()
            .trim()
            .parse::<u32>()
            .unwrap()
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
}

pub fn as_account(command: &mut std::process::Command, account: Option<(u32, u32)>) {
    use std::os::unix::process::CommandExt;
    if let Some((uid, gid)) = account {
        command.uid(uid).gid(gid);
    }
}

/// The field errors of a validation problem as `field: code` pairs.
pub fn field_codes(body: &Value) -> Vec<String> {
    let errors = body["errors"].as_object().cloned().unwrap_or_default();
    let codes = |(field, list): (&String, &Value)| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|e| format!("{field}: {}", e["code"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    errors.iter().flat_map(codes).collect()
}
