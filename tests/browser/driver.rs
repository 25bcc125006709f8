//! A chromedriver of one's own, its Chromium, and the commands of WebDriver.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// The key of an element's id in JSON (WebDriver, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Over a pipe, Chromium ends with its chromedriver, however that ends.
const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
];

pub struct Driver {
    chromedriver: Child,
    client: Client,
    session: String,
}

#[derive(Clone, Debug)]
pub struct Element(String);

/// What WebDriver calls an error, such as `stale element reference`.
#[derive(Debug)]
pub struct Refused(pub String);

/// Where Debian and others put a browser that chromedriver drives.
pub fn chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(program)
}

/// A program of the search path.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = crate::needs::environment("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

impl Driver {
    /// Starts a Chromium with this profile, which nobody else may use meanwhile.
    pub async fn start(profile: &Path) -> Self {
        let (chromedriver, port) = chromedriver(profile);
        let mut driver = Self {
            chromedriver,
            client: Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(60))
                .build()
                .unwrap(),
            session: format!("http://127.0.0.1:{port}"),
        };
        let mut arguments: Vec<_> = ARGUMENTS.map(ToOwned::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let wanted = json!({"alwaysMatch": {
            "goog:chromeOptions": {
                "binary": chromium().expect("Chromium"),
                "args": arguments,
                "prefs": {"intl.accept_languages": "en", "credentials_enable_service": false},
            },
            "goog:loggingPrefs": {"browser": "ALL"},
        }});
        let session = driver
            .call("/session", json!({"capabilities": wanted}))
            .await
            .expect("a session of Chromium");
        let id = session["sessionId"].as_str().unwrap();
        driver.session = format!("{}/session/{id}", driver.session);
        driver
    }

    /// Closes Chromium as a person does, so that it keeps what it shall keep.
    pub async fn quit(mut self) {
        self.send(Method::DELETE, "", None).await.unwrap();
        let _ = self.chromedriver.kill();
        let _ = self.chromedriver.wait();
    }

    pub async fn call(&self, path: &str, body: Value) -> Result<Value, Refused> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn get(&self, path: &str) -> Result<Value, Refused> {
        self.send(Method::GET, path, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Refused> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.session));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("chromedriver answers");
        let good = response.status().is_success();
        let mut answer: Value = response.json().await.expect("JSON of chromedriver");
        let value = answer["value"].take();
        if good {
            return Ok(value);
        }
        let message = value["message"].as_str().unwrap_or_default();
        let first = message.lines().next().unwrap_or_default();
        Err(Refused(format!("{}: {first}", value["error"])))
    }

    /// Runs a function's body in the page. What it returns may be a promise.
    pub async fn run(&self, script: &str, arguments: Value) -> Result<Value, Refused> {
        let body = json!({"script": script, "args": arguments});
        self.call("/execute/sync", body).await
    }

    /// A command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        let answer = self.call("/goog/cdp/execute", body).await;
        answer.unwrap_or_else(|refused| panic!("{command}: {refused:?}"))
    }

    /// The elements that a selector matches, in the page or in one of its elements.
    pub async fn elements(
        &self,
        within: Option<&Element>,
        css: &str,
    ) -> Result<Vec<Element>, Refused> {
        let scope = within.map_or(String::new(), |element| element.path());
        let body = json!({"using": "css selector", "value": css});
        let found = self.call(&format!("{scope}/elements"), body).await?;
        let ids = found.as_array().unwrap().iter();
        Ok(ids.map(Element::of).collect())
    }
}

impl Element {
    /// From what WebDriver answers.
    pub fn of(value: &Value) -> Self {
        Self(value[ELEMENT].as_str().expect("an element").to_owned())
    }

    /// As an argument of a script.
    pub fn value(&self) -> Value {
        json!({ELEMENT: self.0})
    }

    pub fn path(&self) -> String {
        format!("/element/{}", self.0)
    }
}

/// A chromedriver and its port. It finds one that is free for IPv4 and hopes that it is for IPv6, so it may need
/// another try.
fn chromedriver(home: &Path) -> (Child, u16) {
    let mut said = String::new();
    for _ in 0..5 {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                // What else it says is of no interest, but must be read.
                std::thread::spawn(move || lines.for_each(drop));
                return (child, port.trim_end_matches('.').parse().unwrap());
            }
            said.push_str(&line);
        }
        let _ = child.wait();
    }
    panic!("chromedriver does not start: {said}");
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.chromedriver.kill();
        let _ = self.chromedriver.wait();
    }
}
