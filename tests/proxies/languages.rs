//! The backends of `examples/` behind nginx: they know who calls, and nobody else gets in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::front::{Kind, free_address};
use crate::house::House;
use crate::support::wait_until;

/// A backend as a process.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    async fn start(command: &mut Command, address: SocketAddr, install: &str) -> Self {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut child =
            started.unwrap_or_else(|error| panic!("{command:?}: {error}; first: {install}"));
        wait_until("the backend listens", async || {
            tokio::net::TcpStream::connect(address).await.is_ok()
        })
        .await;
        assert!(child.try_wait().unwrap().is_none(), "first: {install}");
        Self(child)
    }
}

fn below_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[tokio::test]
async fn fastapi() {
    let address = free_address();
    let mut command = Command::new(below_root("target/ci-tools/venv/bin/uvicorn"));
    command
        .args(["main:app", "--log-level=warning", "--app-dir"])
        .arg(below_root("examples/fastapi"))
        .arg(format!("--port={}", address.port()));
    let install = "python3 -m venv target/ci-tools/venv; target/ci-tools/venv/bin/pip install fastapi uvicorn";
    let _running = Running::start(&mut command, address, install).await;
    drive(address).await;
}

#[tokio::test]
async fn express() {
    let address = free_address();
    let mut command = Command::new("node");
    command
        .arg(below_root("examples/express/server.js"))
        .env("NODE_PATH", below_root("target/ci-tools/node_modules"))
        .env("PORT", address.port().to_string());
    let install = "npm install --prefix target/ci-tools express";
    let _running = Running::start(&mut command, address, install).await;
    drive(address).await;
}

async fn drive(backend: SocketAddr) {
    let house = House::of_backend(Kind::Nginx, backend).await;
    let ask = async |request: &str, lines: &str| {
        let head = format!("{request} HTTP/1.1\n{lines}");
        house.ask(&head).await
    };
    ask("GET /backend/hello", "Accept: */*").await.expect(401);
    let (susan, cookie) = house.logged_in("susan").await;
    let cookie = format!("Cookie: {cookie}");
    let id = susan.get("/api/me").await.expect(200).body["id"].clone();
    let me = json!({"id": id, "name": "susan", "email": "susan@example.com", "roles": ["user"]});
    let forged = format!(
        "{cookie}\nX-Latchkey-User-Id: 1\nX_Latchkey_Roles: editor\nx-latchkey-roles: editor\nX-Latchkey-Email: a@b.c"
    );
    for lines in [&cookie, &forged] {
        let answer = ask("GET /backend/hello", lines).await.expect(200);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body, me);
        ask("DELETE /backend/everything", lines).await.expect(403);
    }
    let elsewhere = format!("{cookie}\nSec-Fetch-Site: cross-site");
    ask("POST /backend/hello", &elsewhere).await.expect(403);
    ask("POST /backend/hello", &cookie).await.expect(200);
    house
        .app()
        .sql("insert into user_roles (user_id, role, area) select id, 'editor', '' from users")
        .await;
    wait_until("the role is known", async || {
        ask("DELETE /backend/everything", &cookie).await.status == 204
    })
    .await;
    house
        .app()
        .sql("update users set email = null, pending_email = 'x@example.com'")
        .await;
    wait_until("there is no address", async || {
        let answer = ask("GET /backend/hello", &cookie).await.expect(200);
        serde_json::from_str::<Value>(&answer.body).unwrap()["email"].is_null()
    })
    .await;
    susan.log_out().await.expect(204);
    ask("GET /backend/hello", &cookie).await.expect(401);
}
