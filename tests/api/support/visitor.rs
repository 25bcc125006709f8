//! A client with a cookie jar that talks to the server.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::process::{Process, command};
use super::{PASSWORD, contract};

pub struct Visitor {
    pub address: SocketAddr,
    pub client: reqwest::Client,
}

/// A response, with its body if that was JSON.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Process {
    pub fn start(data_dir: &Path) -> Self {
        Self::spawn(&mut command(data_dir))
    }

    /// A visitor with an empty cookie jar.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(self.address)
    }
}

impl Visitor {
    pub fn new(address: SocketAddr) -> Self {
        let client = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            // A server that never responds fails its test, not the whole run.
            .timeout(Duration::from_secs(60));
        Self {
            address,
            client: client.build().unwrap(),
        }
    }

    /// The same cookie jar at another server.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            client: self.client.clone(),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// Posts a raw body as JSON.
    pub async fn post_raw(&self, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        send(
            self.request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body),
        )
        .await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        send(self.request(Method::DELETE, path)).await
    }

    pub async fn log_in(&self, name: &str) -> Reply {
        self.post(
            "/api/login",
            json!({"username": name, "password": PASSWORD}),
        )
        .await
    }

    pub async fn log_out(&self) -> Reply {
        send(self.request(Method::POST, "/api/logout")).await
    }

    pub async fn is_logged_in(&self) -> bool {
        match self.get("/api/me").await.status.as_u16() {
            200 => true,
            401 => false,
            other => panic!("/api/me answered {other}"),
        }
    }
}

/// Sends a request, and checks the response against the OpenAPI document.
pub async fn send(request: RequestBuilder) -> Reply {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let reply = Reply {
        status,
        headers,
        body,
    };
    contract::check(&method, &path, &reply);
    reply
}

impl Reply {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    /// Expects a refusal with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status.as_u16(), self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        self
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The cookie that the response sets under this name, with its attributes.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|value| value.to_str().unwrap().to_owned());
        cookies
            .into_iter()
            .find(|cookie| cookie.starts_with(&format!("{name}=")))
    }

    /// `name=value` of the session cookie, to send by hand.
    pub fn session_cookie(&self) -> String {
        let cookie = self.cookie("latchkey_session").expect("a session cookie");
        cookie.split(';').next().unwrap().to_owned()
    }
}
