//! DATABASE_URL with TLS: `sslmode` works as in libpq, and unsafe links cause warnings.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use diesel_async::SimpleAsyncConnection;
use latchkey::store::db::connection::Connector;
use tokio_postgres::SimpleQueryMessage;

use crate::support::process::{TempDir, command};
use crate::support::proxy::{Line, Proxy};
use crate::support::{App, Database, settings, wait_until};

/// One database accepts only TLS, the other only unencrypted connections.
const ACCESS: &str = "
hostssl only_tls all 127.0.0.1/32 trust
hostnossl only_clear all 127.0.0.1/32 trust
host postgres all 127.0.0.1/32 trust
";

/// A separate PostgreSQL with TLS that listens on TCP.
struct TlsServer {
    port: u16,
    root: std::path::PathBuf,
    child: std::process::Child,
    directory: TempDir,
}

impl TlsServer {
    fn start() -> Self {
        let directory = TempDir::new();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let programs = latchkey::store::local::programs::Programs::find(None).unwrap();
        let data = directory.0.join("data");
        let [key, root] = ["server.key", "server.crt"].map(|name| directory.0.join(name));
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        std::fs::write(&root, made.cert.pem()).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let account = crate::support::postgres_account();
        if let Some((uid, gid)) = account {
            for path in [&directory.0, &key, &root] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let run = |program: &str, arguments: &[&str]| {
            let mut command = programs.command(program);
            command.args(arguments).current_dir("/");
            crate::support::as_account(&mut command, account);
            command
        };
        let data = data.display().to_string();
        let create = ["-D", &data, "-U", "latchkey", "--auth=trust", "-N"];
        let made = run("initdb", &create).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        std::fs::write(format!("{data}/pg_hba.conf"), ACCESS).unwrap();
        let settings = [
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", root.display()),
            format!("ssl_key_file={}", key.display()),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", directory.0.display()),
        ];
        let mut options = vec!["-D", &data];
        options.extend(settings.iter().flat_map(|setting| ["-c", setting.as_str()]));
        let child = run("postgres", &options)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Self {
            port,
            root,
            child,
            directory,
        }
    }

    fn url(&self, host: &str, database: &str, options: &str) -> String {
        let port = self.port;
        format!("postgres://latchkey@{host}:{port}/{database}?{options}")
    }

    async fn ready(&self) {
        let url = self.url("127.0.0.1", "postgres", "sslmode=disable");
        wait_until("it accepts connections", async || {
            is_encrypted(&url).await.is_ok()
        })
        .await;
        for database in ["only_tls", "only_clear"] {
            let connector = Connector::from_url(&url).unwrap();
            let mut conn = connector.connect().await.unwrap();
            let sql = format!("create database {database}");
            conn.batch_execute(&sql).await.unwrap();
        }
    }
}

/// Connects, and asks the server whether the link is encrypted.
async fn is_encrypted(url: &str) -> Result<bool, String> {
    let connector = Connector::from_url(url).map_err(|error| error.to_string())?;
    let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
    let (client, driver) = connector.connect_listening(tell).await?;
    let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let rows = client.simple_query(sql).await.unwrap();
    driver.abort();
    let row = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
        _ => None,
    });
    Ok(row.unwrap() == "t")
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

const OURS: &str = "server.crt";
const THEIRS: &str = "other.crt";

/// Host, database, trusted certificate and `sslmode`; then whether the link is encrypted, or the reason it fails.
type Case = (
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
    Result<bool, &'static str>,
);

const SSLMODES: &[Case] = &[
    ("localhost", "postgres", None, "", Ok(true)),
    ("localhost", "postgres", None, "disable", Ok(false)),
    ("localhost", "only_tls", None, "disable", Err("pg_hba.conf")),
    ("localhost", "postgres", None, "allow", Ok(false)),
    ("localhost", "only_tls", None, "allow", Ok(true)),
    ("localhost", "postgres", None, "prefer", Ok(true)),
    ("localhost", "only_clear", None, "prefer", Ok(false)),
    ("localhost", "postgres", Some(THEIRS), "prefer", Ok(false)),
    (
        "localhost",
        "only_tls",
        Some(THEIRS),
        "prefer",
        Err("pg_hba.conf"),
    ),
    ("localhost", "postgres", None, "require", Ok(true)),
    (
        "localhost",
        "only_clear",
        None,
        "require",
        Err("pg_hba.conf"),
    ),
    ("127.0.0.1", "postgres", Some(OURS), "require", Ok(true)),
    (
        "localhost",
        "postgres",
        Some(THEIRS),
        "require",
        Err("invalid peer certificate"),
    ),
    ("127.0.0.1", "postgres", Some(OURS), "verify-ca", Ok(true)),
    (
        "localhost",
        "postgres",
        Some(THEIRS),
        "verify-ca",
        Err("invalid peer certificate"),
    ),
    (
        "localhost",
        "postgres",
        None,
        "verify-ca",
        Err("invalid peer certificate"),
    ),
    ("localhost", "postgres", Some(OURS), "verify-full", Ok(true)),
    (
        "127.0.0.1",
        "postgres",
        Some(OURS),
        "verify-full",
        Err("not valid for name"),
    ),
    (
        "localhost",
        "postgres",
        None,
        "verify-full",
        Err("invalid peer certificate"),
    ),
];

#[tokio::test]
async fn every_sslmode_does_what_libpq_does() {
    let server = TlsServer::start();
    server.ready().await;
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(server.directory.0.join(THEIRS), other.cert.pem()).unwrap();
    for (host, database, trusted, mode, expected) in SSLMODES {
        let mut options = Vec::new();
        options.extend((!mode.is_empty()).then(|| format!("sslmode={mode}")));
        let root = |name: &&str| server.directory.0.join(name).display().to_string();
        options.extend(
            trusted
                .as_ref()
                .map(root)
                .map(|root| format!("sslrootcert={root}")),
        );
        let options = options.join("&");
        let got = is_encrypted(&server.url(host, database, &options)).await;
        let as_expected = match (&got, expected) {
            (Err(error), Err(part)) => error.contains(part),
            (got, expected) => got.as_ref().ok() == expected.as_ref().ok(),
        };
        assert!(as_expected, "{host} {database} {options}: {got:?}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_used_unencrypted_unless_sslmode_forbids_it() {
    let database = Database::create().await;
    let proxy = Proxy::start(database.sockets().join(".s.PGSQL.5432"), Line::Good).await;
    let tcp = |options: &str| {
        let (port, name) = (proxy.port, database.name());
        format!("postgres://latchkey@127.0.0.1:{port}/{name}?{options}")
    };
    for options in ["", "sslmode=prefer", "sslmode=allow", "sslmode=disable"] {
        assert_eq!(is_encrypted(&tcp(options)).await, Ok(false), "{options}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let refused = is_encrypted(&tcp(&format!("sslmode={mode}"))).await;
        assert!(
            refused.unwrap_err().contains("does not support TLS"),
            "{mode}"
        );
        let socket = format!(
            "postgres:///{}?user=latchkey&host={}&sslmode={mode}",
            database.name(),
            database.sockets().display()
        );
        assert_eq!(
            is_encrypted(&socket).await,
            Ok(false),
            "a socket has no TLS: {mode}"
        );
    }
    let hosts = format!("127.0.0.1:1,127.0.0.1:{}", proxy.port);
    let several = format!("postgres://latchkey@{hosts}/{}", database.name());
    assert_eq!(is_encrypted(&several).await, Ok(false));
    let direct = Connector::from_url(&tcp("sslnegotiation=direct"));
    let refused = direct.err().unwrap().to_string();
    assert!(refused.contains("sslmode=require"), "{refused}");
}

/// `0.0.0.0` leads to this machine, but does not look local.
#[tokio::test]
async fn an_unsafe_link_is_warned_about_once() {
    let server = TlsServer::start();
    server.ready().await;
    let (clear, unchecked) = ("is not encrypted", "nothing verifies which server answers");
    let root = format!("verify-ca&sslrootcert={}", server.root.display());
    for (host, mode, expected) in [
        ("0.0.0.0", "disable", Some(clear)),
        ("0.0.0.0", "prefer", Some(unchecked)),
        ("0.0.0.0", "require", Some(unchecked)),
        ("0.0.0.0", &root, None),
        ("127.0.0.1", "disable", None),
        ("127.0.0.1", "require", None),
    ] {
        let directory = TempDir::new();
        let mut command = command(&directory.0);
        let url = server.url(host, "postgres", &format!("sslmode={mode}"));
        command.env("DATABASE_URL", url).arg("migrate");
        let done = tokio::task::spawn_blocking(move || command.output().unwrap());
        let done = done.await.unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{host} {mode}: {told}");
        for text in [clear, unchecked] {
            let times = usize::from(expected == Some(text));
            assert_eq!(told.matches(text).count(), times, "{host} {mode}: {told}");
        }
        let fixed = expected.is_none() || told.contains("sslmode=verify-full");
        assert!(fixed, "{host} {mode}: {told}");
    }
}

#[tokio::test]
async fn the_server_and_its_listener_work_over_verified_tls() {
    let server = TlsServer::start();
    server.ready().await;
    let verified = format!("sslmode=verify-full&sslrootcert={}", server.root.display());
    let url = server.url("localhost", "postgres", &verified);
    let connector = Connector::from_url(&url).unwrap();
    latchkey::store::db::migrations::run(&connector).unwrap();
    let app = App::through(Database::create().await, connector, settings(&[]));
    app.wait_for_cache().await;
    assert!(app.logged_in("susan").await.is_logged_in().await);
}
