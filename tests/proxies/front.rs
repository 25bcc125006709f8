//! A real nginx or Caddy with its file of `deploy/`. Only addresses and directories are substituted.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::process::TempDir;
use crate::support::wait_until;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Nginx,
    Caddy,
}

pub struct Front {
    child: Child,
    pub address: SocketAddr,
    pub place: TempDir,
}

/// The text of a file of `deploy/` with replacements. A text that no longer stands there fails the test.
fn adapted(name: &str, replacements: &[(&str, String)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name);
    let mut text = std::fs::read_to_string(path).unwrap();
    for (old, new) in replacements {
        assert!(text.contains(old), "deploy/{name} without {old}");
        text = text.replace(old, new);
    }
    text
}

pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl Front {
    /// Listens on `address`, and passes requests on to Latchkey and the backend.
    pub async fn start(
        kind: Kind,
        address: SocketAddr,
        latchkey: SocketAddr,
        backend: SocketAddr,
    ) -> Self {
        let place = TempDir::new();
        std::fs::create_dir(place.0.join("app")).unwrap();
        std::fs::write(place.0.join("app/index.html"), "the app").unwrap();
        let substituted = [
            ("127.0.0.1:8080", latchkey.to_string()),
            ("127.0.0.1:9000", backend.to_string()),
            ("/var/www/app", place.0.join("app").display().to_string()),
        ];
        let mut command = match kind {
            Kind::Nginx => nginx(&place.0, address, &substituted),
            Kind::Caddy => caddy(&place.0, address, &substituted),
        };
        let package = match kind {
            Kind::Nginx => "nginx-light",
            Kind::Caddy => "caddy",
        };
        let child = command
            .current_dir(&place.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(place.0.join("log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("this test needs {kind:?} (apt-get install {package}): {error}")
            });
        let mut front = Self {
            child,
            address,
            place,
        };
        front.wait_until_it_listens().await;
        front
    }

    async fn wait_until_it_listens(&mut self) {
        let address = self.address;
        let child = std::sync::Mutex::new(&mut self.child);
        let log = self.place.0.join("log");
        wait_until("the proxy listens", async || {
            if let Some(status) = child.lock().unwrap().try_wait().unwrap() {
                panic!("{status}: {}", std::fs::read_to_string(&log).unwrap());
            }
            tokio::net::TcpStream::connect(address).await.is_ok()
        })
        .await;
    }
}

/// The file belongs into an `http` block, and speaks TLS.
fn nginx(place: &Path, address: SocketAddr, substituted: &[(&str, String)]) -> Command {
    let plain = [
        ("listen 443 ssl;", format!("listen {address};")),
        ("ssl_certificate /", "# /".to_owned()),
        ("ssl_certificate_key /", "# /".to_owned()),
    ];
    let text = adapted("nginx.conf", &[substituted, &plain].concat());
    std::fs::write(place.join("app.conf"), text).unwrap();
    let around = "daemon off; pid nginx.pid; error_log stderr; worker_processes 1; events {}
        http { access_log off; client_body_temp_path body; proxy_temp_path proxy; include app.conf; }";
    std::fs::write(place.join("nginx.conf"), around).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(place).args(["-c", "nginx.conf"]);
    command
}

/// Without TLS, and without the port for changing a running Caddy, which all Caddys of a machine share.
fn caddy(place: &Path, address: SocketAddr, substituted: &[(&str, String)]) -> Command {
    let plain = [("\napp.example {", format!("\nhttp://{address} {{"))];
    let text = adapted("Caddyfile", &[substituted, &plain].concat());
    std::fs::write(
        place.join("Caddyfile"),
        format!("{{\n\tadmin off\n}}\n{text}"),
    )
    .unwrap();
    let mut command = Command::new("caddy");
    command
        .args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"])
        .env("HOME", place)
        .env("XDG_DATA_HOME", place)
        .env("XDG_CONFIG_HOME", place);
    command
}

impl Drop for Front {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}
