//! The page of `examples/vite-react`, by Vite's server with its proxy, and built, by Latchkey itself.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::browser::Browser;
use crate::hands::{Button, Checkbox, Field, Link};
use crate::house::{House, free_port};
use crate::needs::{self, Need};
use crate::phone::Phone;
use crate::registering::{self, is_wrong};
use crate::support::process::TempDir;
use crate::support::{PASSWORD, wait_until};

crate::tests! {
    Need::React => [
        the_example_works_behind_vites_proxy,
        the_built_example_works_from_latchkey_itself,
    ]
}

struct Vite(Child);

impl Vite {
    /// Serves the page and passes `/api` on, at the origin that this returns.
    async fn start(latchkey: &str) -> (Self, String) {
        let port = free_port();
        let child = Command::new("node")
            .arg(needs::vite())
            .args(["--strictPort", "--host=127.0.0.1", "--port"])
            .arg(port.to_string())
            .current_dir(needs::example())
            .env("LATCHKEY_URL", latchkey)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let vite = Self(child);
        let listens = async || TcpStream::connect(("127.0.0.1", port)).is_ok();
        wait_until("Vite listens", listens).await;
        (vite, format!("http://localhost:{port}"))
    }
}

impl Drop for Vite {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Through everything that the example has, with two tabs of one browser.
async fn journey(house: &House, susan: Browser) {
    susan.open("/").await;
    susan.at("/login?next=%2F").await;
    susan.click(Link, "Click to Register!").await;
    susan.heads("Register").await;
    let typo = format!("{PASSWORD}x");
    registering::fill(&susan, ["susan", "susan@example.com", PASSWORD, &typo]).await;
    is_wrong(&susan, "Repeat Password", "the same password").await;
    susan.fill("Repeat Password", PASSWORD).await;
    susan.click(Button, "Register").await;
    let congratulations = "Congratulations, you are now a registered user!";
    susan.reads("[role=status]", congratulations).await;

    susan.enter("susan", "another-Lamp-42-river").await;
    susan.reads("[role=alert]", "password").await;
    assert_eq!(house.sessions().await, 0);
    susan.click(Checkbox, "Remember Me").await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("Hi, susan!").await;
    susan.counts("article", 2).await;
    assert_eq!(house.sessions().await, 1);
    let susan = susan.restart().await;
    susan.open("/login").await;
    susan.heads("Hi, susan!").await;

    let (first, second) = susan.open_tab().await;
    susan.open("/").await;
    susan.click(Button, "Logout").await;
    susan.at("/login?next=%2F").await;
    assert_eq!(house.sessions().await, 0);
    susan.go_to_tab(&first).await;
    susan.at("/login?next=%2F").await;
    susan.go_to_tab(&second).await;
    susan.enter("susan", PASSWORD).await;
    susan.at("/").await;
    second_step(house, &susan).await;
    let unexpected = susan.complaints().await;
    let policy = unexpected
        .iter()
        .find(|one| one.contains("Content Security Policy"));
    assert!(policy.is_none(), "{policy:?}");
}

/// Susan sets up an app elsewhere, and the next login here wants its code, also after the page was loaded again.
async fn second_step(house: &House, susan: &Browser) {
    let phone = Phone::set_up(house).await;
    house.forget_used_codes().await;
    susan.open("/").await;
    susan.at("/login?next=%2F").await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("One more step").await;
    let field = "Code of your app, or a recovery code";
    let empty = susan.find(Field, field).await;
    let typed = "return arguments[0].value";
    assert_eq!(susan.run(typed, json!([empty.value()])).await, "");
    susan.fill(field, &phone.wrong_code()).await;
    susan.click(Button, "Sign In").await;
    susan.reads("[role=alert]", "code").await;
    susan.open("/login?next=%2F").await;
    susan.heads("One more step").await;
    susan.fill(field, &phone.code()).await;
    susan.click(Button, "Sign In").await;
    susan.heads("Hi, susan!").await;
}

async fn the_example_works_behind_vites_proxy() {
    let house = House::open().await;
    let (_vite, origin) = Vite::start(&house.origin).await;
    journey(&house, Browser::start(&origin).await).await;
}

async fn the_built_example_works_from_latchkey_itself() {
    let dist = TempDir::new();
    let built = Command::new("npm")
        .args(["run", "build", "--", "--emptyOutDir", "--outDir"])
        .arg(&dist.0)
        .current_dir(needs::example())
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    let house = House::with(&[("LATCHKEY_SPA_DIR", dist.0.to_str().unwrap())]).await;
    journey(&house, house.browser().await).await;
}
