//! One PostgreSQL for the whole run, started by Latchkey's own launcher, with one database per test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use latchkey::store::db::connection::Connector;
use latchkey::store::db::migrations;
use latchkey::store::local::LocalPostgres;
use tokio_postgres::{NoTls, SimpleQueryMessage};

struct Cluster {
    sockets: PathBuf,
    connector: Connector,
    _server: LocalPostgres,
}

/// Migrated once; `create database … template` copies it in a few milliseconds.
const TEMPLATE: &str = "template_of_tests";

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        remove_leftovers();
        let directory = std::env::temp_dir().join(format!("latchkey-tests-{}", std::process::id()));
        super::process::install_programs();
        let server = LocalPostgres::start(&directory).unwrap();
        let connector = server.connector();
        let sockets = directory.join("postgres/run");
        let prepare = async {
            // Nothing here needs to survive a power failure.
            for sql in [
                "alter system set fsync = off",
                "select pg_reload_conf()",
                "create database template_of_tests",
            ] {
                run(&sockets, "postgres", sql).await;
            }
        };
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
        };
        std::thread::scope(|scope| scope.spawn(|| runtime().block_on(prepare)).join().unwrap());
        migrations::run(&connector.with_database(TEMPLATE)).unwrap();
        Cluster {
            sockets,
            connector,
            _server: server,
        }
    })
}

/// Removes what killed runs left behind.
fn remove_leftovers() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // latchkey-tests-PID, or latchkey-tests-PID-NUMBER
        let pid = name
            .strip_prefix("latchkey-tests-")
            .and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A database for one test.
pub struct Database(Arc<Owned>);

struct Owned {
    name: String,
}

impl Database {
    pub async fn create() -> Self {
        let database = Self::named();
        let name = &database.0.name;
        run(
            &cluster().sockets,
            "postgres",
            &format!("create database {name} template {TEMPLATE}"),
        )
        .await;
        database
    }

    /// A database without tables.
    pub async fn empty() -> Self {
        let database = Self::named();
        run(
            &cluster().sockets,
            "postgres",
            &format!("create database {}", database.0.name),
        )
        .await;
        database
    }

    fn named() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let _ = cluster();
        Self(Arc::new(Owned {
            name: format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        }))
    }

    pub fn share(&self) -> Self {
        Self(self.0.clone())
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn sockets(&self) -> &'static PathBuf {
        &cluster().sockets
    }

    /// For `DATABASE_URL`.
    pub fn url(&self) -> String {
        format!(
            "postgres://latchkey@localhost/{}?host={}",
            self.name(),
            self.sockets().display()
        )
    }

    /// For `LATCHKEY_DATA_DIR`. Each test has its own.
    pub fn data_dir(&self) -> PathBuf {
        let cluster = self.sockets().ancestors().nth(2).unwrap();
        cluster.join(self.name())
    }

    /// Where a server without SMTP keeps its mails.
    pub fn mail_folder(&self) -> PathBuf {
        self.data_dir().join("mail")
    }

    pub fn connector(&self) -> Connector {
        cluster().connector.with_database(&self.0.name)
    }

    /// Runs SQL as someone in psql would.
    pub async fn sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        run(&cluster().sockets, &self.0.name, sql).await
    }
}

async fn run(sockets: &std::path::Path, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(sockets).user("latchkey").dbname(database);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let messages = client
        .simple_query(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    driver.abort();
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|i| row.get(i).map(ToOwned::to_owned))
                .collect(),
        ),
        _ => None,
    });
    rows.collect()
}
