//! DATABASE_URL with TLS: require encrypts, verify-full checks who answers.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use latchkey::store::connection::Connector;

use crate::support::{App, Database, settings};

/// Turns TLS on in a PostgreSQL of its own, listening on TCP; returns the port and the certificate's file.
struct TlsServer {
    port: u16,
    root: std::path::PathBuf,
    child: std::process::Child,
    _directory: crate::support::process::TempDir,
}

impl TlsServer {
    fn start() -> Self {
        let directory = crate::support::process::TempDir::new();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let programs = latchkey::store::programs::Programs::find(None).unwrap();
        let data = directory.0.join("data");
        let (key, root) = (
            directory.0.join("server.key"),
            directory.0.join("server.crt"),
        );
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
        let made = run(
            "initdb",
            &["-D", &data, "-U", "latchkey", "--auth=trust", "-N"],
        )
        .output()
        .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let options = [
            "-D",
            &data,
            "-c",
            "ssl=on",
            "-c",
            &format!("ssl_cert_file={}", root.display()),
            "-c",
            &format!("ssl_key_file={}", key.display()),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            &format!("port={port}"),
            "-c",
            &format!("unix_socket_directories={}", directory.0.display()),
        ];
        let child = run("postgres", &options)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Self {
            port,
            root,
            child,
            _directory: directory,
        }
    }

    fn url(&self, host: &str, options: &str) -> String {
        format!(
            "postgres://latchkey@{host}:{}/postgres?{options}",
            self.port
        )
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn require_encrypts_and_verify_full_checks_chain_and_host_name() {
    let server = TlsServer::start();
    let root = server.root.display().to_string();
    let connect = async |host: &str, options: &str| {
        let connector = Connector::from_url(&server.url(host, options)).unwrap();
        connector
            .connect()
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    };
    crate::support::wait_until("it accepts", async || {
        connect("localhost", "sslmode=require").await.is_ok()
    })
    .await;
    let verified = format!("sslmode=verify-full&sslrootcert={root}");
    connect("localhost", &verified).await.unwrap();
    let other_host = connect("127.0.0.1", &verified).await.unwrap_err();
    assert!(other_host.contains("not valid for name"), "{other_host}");
    let unknown = connect("localhost", "sslmode=verify-full")
        .await
        .unwrap_err();
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    assert!(
        Connector::from_url(&server.url("localhost", "sslmode=require"))
            .unwrap()
            .unverified
    );
    assert!(
        !Connector::from_url(&server.url("localhost", &verified))
            .unwrap()
            .unverified
    );

    let connector = Connector::from_url(&server.url("localhost", &verified)).unwrap();
    latchkey::store::migrations::run(&connector).unwrap();
    let app = App::through(Database::create().await, connector, settings(&[]));
    app.wait_for_cache().await;
    assert!(
        app.logged_in("susan").await.is_logged_in().await,
        "the server works over TLS, its listener too"
    );
}
