//! The server under test: the real binary, at an origin as a browser has it, with a database of its own.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use serde_json::json;

use crate::browser::Browser;
use crate::support::process::{Process, command};
use crate::support::{Database, PASSWORD, SECRET_KEY, Visitor, wait_until};

pub struct House {
    pub process: Process,
    pub database: Database,
    /// `http://localhost:PORT`. Browsers take it for another site than 127.0.0.1.
    pub origin: String,
}

impl House {
    pub async fn open() -> Self {
        Self::with(&[]).await
    }

    /// With these settings, such as `("LATCHKEY_DEMO", "off")`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let database = Database::create().await;
        let mut command = command(&database.data_dir());
        command
            .env("DATABASE_URL", database.url())
            .env("LATCHKEY_SECRET_KEY", SECRET_KEY)
            .env("LATCHKEY_RATE_LIMITS", "off")
            .env("LATCHKEY_WORKERS", "1")
            .envs(settings.iter().copied());
        let process = Process::spawn(&mut command);
        Self {
            origin: format!("http://localhost:{}", process.address.port()),
            process,
            database,
        }
    }

    fn address(&self) -> SocketAddr {
        self.process.address
    }

    /// A new browser, which has been nowhere yet.
    pub async fn browser(&self) -> Browser {
        Browser::start(&self.origin).await
    }

    /// Somebody without a browser: to prepare what a test is about, and to look at what it has caused.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(self.address())
    }

    /// Registers a person under this name.
    pub async fn register(&self, name: &str) {
        let form =
            json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        self.visitor().post("/api/register", form).await.expect(201);
    }

    /// A new browser in which this person has just registered and logged in.
    pub async fn home_of(&self, name: &str) -> Browser {
        self.register(name).await;
        let browser = self.browser().await;
        browser.log_in(name).await;
        browser
    }

    /// Runs a subcommand of the binary on the same database: `users grant susan admin`.
    pub fn operator(&self, arguments: &[&str]) {
        let mut command: Command = command(&self.database.data_dir());
        let done = command
            .env("DATABASE_URL", self.database.url())
            .env("LATCHKEY_SECRET_KEY", SECRET_KEY)
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// The single number that a query returns.
    pub async fn count(&self, sql: &str) -> u32 {
        let rows = self.database.sql(sql).await;
        rows[0][0].as_ref().unwrap().parse().unwrap()
    }

    pub async fn sessions(&self) -> u32 {
        self.count("select count(*) from sessions").await
    }

    /// Makes every session look as if its password had been entered long ago.
    pub async fn let_time_pass(&self, browser: &Browser) {
        let sql = "update sessions set authenticated_at = authenticated_at - interval '1 day'";
        self.database.sql(sql).await;
        let script = "return fetch('/api/me').then((answer) => answer.json())
            .then(({ session }) => Date.now() - Date.parse(session.authenticated_at) > 3600000)";
        let what = "the server has heard of it";
        browser.until_true(what, script, json!([])).await;
    }

    /// Waits until so many mails lie in the mailbox.
    pub async fn wait_for_mails(&self, count: usize) {
        let visitor = self.visitor();
        let page = || visitor.request(reqwest::Method::GET, "/dev/mailbox").send();
        wait_until("the mails are there", async || {
            let page = page().await.unwrap().text().await.unwrap();
            page.matches("<article").count() >= count
        })
        .await;
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Browser {
    /// Logs in by the page, as somebody who has just opened the browser.
    pub async fn log_in(&self, name: &str) {
        self.open("/login").await;
        self.enter(name, PASSWORD).await;
        self.heads(&format!("Hi, {name}!")).await;
    }

    /// Fills the form of `/login` and sends it.
    pub async fn enter(&self, name: &str, password: &str) {
        self.fill("Username or e-mail", name).await;
        self.fill("Password", password).await;
        self.click(crate::hands::Button, "Sign In").await;
    }
}
