//! A browser of one's own: where it is, what it shows, and how to wait for that.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::driver::{Driver, Refused};
use crate::support::process::TempDir;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Browser {
    pub driver: Driver,
    /// Of the server under test.
    pub origin: String,
    // Last: deleted when Chromium has ended.
    profile: TempDir,
}

impl Browser {
    /// A browser that nobody has used before.
    pub async fn start(origin: &str) -> Self {
        let profile = TempDir::new();
        Self {
            driver: Driver::start(&profile.0).await,
            origin: origin.to_owned(),
            profile,
        }
    }

    /// Closes the browser and opens it again, with all that it keeps.
    pub async fn restart(self) -> Self {
        let Self {
            driver,
            origin,
            profile,
        } = self;
        driver.quit().await;
        Self {
            driver: Driver::start(&profile.0).await,
            origin,
            profile,
        }
    }

    /// Goes to a path of the server, or to another address.
    pub async fn open(&self, address: &str) {
        let url = match address.strip_prefix('/') {
            Some(path) => format!("{}/{path}", self.origin),
            None => address.to_owned(),
        };
        let went = self.driver.call("/url", json!({"url": url})).await;
        went.unwrap_or_else(|refused| panic!("{url}: {refused:?}"));
    }

    pub async fn address(&self) -> String {
        let url = self.driver.get("/url").await.unwrap();
        url.as_str().unwrap().to_owned()
    }

    /// Runs a function's body in the page.
    pub async fn run(&self, script: &str, arguments: Value) -> Value {
        let answer = self.driver.run(script, arguments).await;
        answer.unwrap_or_else(|refused| panic!("{script}: {refused:?}"))
    }

    /// Everything that can be read on the page.
    pub async fn text(&self) -> String {
        let text = self.run("return document.body.innerText", json!([])).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Asks until there is an answer. An element that has just been replaced counts as none.
    pub async fn until<T>(
        &self,
        what: &str,
        ask: impl AsyncFn() -> Result<Option<T>, Refused>,
    ) -> T {
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < PATIENCE {
            match ask().await {
                Ok(Some(answer)) => return answer,
                Ok(None) => {}
                Err(Refused(why)) => last = why,
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (address, text) = (self.address().await, self.text().await);
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("failed-{}.png", NEXT.fetch_add(1, Ordering::Relaxed));
        let picture = crate::needs::screenshots().join(name);
        self.picture(&picture).await;
        panic!(
            "not within {PATIENCE:?}: {what} {last}\nat {address} ({})\n{text}",
            picture.display()
        );
    }

    /// Waits until a script's condition holds.
    pub async fn until_true(&self, what: &str, script: &str, arguments: Value) {
        self.until(what, async || {
            let answer = self.driver.run(script, arguments.clone()).await?;
            Ok((answer == json!(true)).then_some(()))
        })
        .await;
    }

    /// Waits until this can be read somewhere on the page.
    pub async fn sees(&self, text: &str) {
        let script = "return document.body.innerText.includes(arguments[0])";
        self.until_true(&format!("{text:?}"), script, json!([text]))
            .await;
    }

    /// Waits for the page with this heading, and only this.
    pub async fn heads(&self, heading: &str) {
        let script =
            "const all = [...document.querySelectorAll('h1')].filter((h1) => h1.checkVisibility());
            return all.length === 1 && all[0].innerText.trim() === arguments[0]";
        self.until_true(
            &format!("the heading {heading:?}"),
            script,
            json!([heading]),
        )
        .await;
    }

    /// Waits until the address is this path, with what follows it.
    pub async fn at(&self, path: &str) {
        let url = format!("{}{path}", self.origin);
        let script = "return location.href === arguments[0]";
        self.until_true(&format!("to be at {path}"), script, json!([url]))
            .await;
    }

    /// Waits for an element that shows this text, or any if that is empty: `[role=alert]`, `[role=status]`.
    pub async fn reads(&self, css: &str, text: &str) {
        let script = "return [...document.querySelectorAll(arguments[0])]
            .some((element) => element.checkVisibility() && element.innerText.trim() && element.innerText.includes(arguments[1]))";
        self.until_true(&format!("{text:?} in {css}"), script, json!([css, text]))
            .await;
    }

    /// Waits until so many elements match.
    pub async fn counts(&self, css: &str, count: usize) {
        let script = "return document.querySelectorAll(arguments[0]).length === arguments[1]";
        self.until_true(&format!("{count} × {css}"), script, json!([css, count]))
            .await;
    }

    /// As if the browser had been nowhere yet.
    pub async fn forget_everything(&self) {
        self.driver
            .devtools("Network.clearBrowserCookies", json!({}))
            .await;
    }

    /// Opens another tab and goes on there. Returns the former and the new one.
    pub async fn open_tab(&self) -> (Value, Value) {
        let former = self.driver.get("/window").await.unwrap();
        let new = self
            .driver
            .call("/window/new", json!({"type": "tab"}))
            .await;
        let new = new.unwrap()["handle"].take();
        self.go_to_tab(&new).await;
        (former, new)
    }

    pub async fn go_to_tab(&self, tab: &Value) {
        self.driver
            .call("/window", json!({"handle": tab}))
            .await
            .unwrap();
    }

    /// What the browser complained of since it was asked last.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self
            .driver
            .call("/se/log", json!({"type": "browser"}))
            .await;
        let log = log.unwrap();
        let entries = log.as_array().unwrap().iter();
        entries
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The whole page as PNG. What lies behind a dialog is not part of it.
    pub async fn picture(&self, file: &Path) {
        let whole = "return !document.querySelector('dialog[open]')";
        let whole = self.run(whole, json!([])).await;
        let parameters = json!({"captureBeyondViewport": whole});
        let answer = self
            .driver
            .devtools("Page.captureScreenshot", parameters)
            .await;
        let png = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            answer["data"].as_str().unwrap(),
        );
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, png.unwrap()).unwrap();
    }
}
