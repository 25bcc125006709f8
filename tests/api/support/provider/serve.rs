//! The provider's HTTP: one request a connection.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::form_urlencoded;

use super::{CLIENT_ID, CLIENT_SECRET, Shared, Trouble};

pub async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        open.spawn(serve(tcp, shared.clone()));
    }
}

struct Request {
    target: String,
    path: String,
    authorization: String,
    body: Vec<u8>,
}

async fn serve(mut tcp: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let request = read(&mut tcp).await?;
    shared.asked.lock().unwrap().push(request.path.clone());
    let trouble = shared.lies.lock().unwrap().trouble.clone();
    if let Some((_, trouble)) = trouble.filter(|(path, _)| *path == request.path) {
        return make(tcp, trouble).await;
    }
    if request.path == "/authorize" {
        let person = shared.lies.lock().unwrap().person.clone();
        let back = shared.log_in(&format!("{}{}", shared.issuer, request.target), person);
        return make(tcp, Trouble::Redirect(back)).await;
    }
    let (status, body) = answer(&shared, &request);
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    tcp.write_all(format!("{head}{body}").as_bytes()).await
}

async fn read(tcp: &mut TcpStream) -> io::Result<Request> {
    let mut lines = BufReader::new(tcp);
    let mut line = String::new();
    lines.read_line(&mut line).await?;
    let target = line.split(' ').nth(1).unwrap_or_default();
    let target = target.to_owned();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let (mut length, mut authorization) = (0, String::new());
    loop {
        line.clear();
        lines.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).await?;
    Ok(Request {
        target,
        path,
        authorization,
        body,
    })
}

fn answer(shared: &Shared, request: &Request) -> (u16, Value) {
    match request.path.as_str() {
        "/.well-known/openid-configuration" => (200, shared.metadata()),
        "/jwks" => (
            200,
            json!({"keys": [{"kty": "unknown"}, shared.key.lock().unwrap().public()]}),
        ),
        "/token" => {
            let form: HashMap<_, _> = form_urlencoded::parse(&request.body).into_owned().collect();
            let escaped =
                |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let basic = format!("{}:{}", escaped(CLIENT_ID), escaped(CLIENT_SECRET));
            let is_basic = request.authorization == format!("Basic {}", STANDARD.encode(basic));
            let is_post = form
                .get("client_secret")
                .is_some_and(|secret| secret == CLIENT_SECRET);
            if !is_basic && !is_post {
                return (401, json!({"error": "invalid_client"}));
            }
            match shared.redeem(&form) {
                Ok(tokens) => (200, tokens),
                Err(error) => (
                    400,
                    json!({"error": error, "error_description": "no\r\nway"}),
                ),
            }
        }
        "/userinfo" if request.authorization == "Bearer AT-never-kept" => {
            (200, shared.lies.lock().unwrap().userinfo.clone())
        }
        _ => (404, json!({})),
    }
}

/// Answers as no provider should.
async fn make(mut tcp: TcpStream, trouble: Trouble) -> io::Result<()> {
    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    match trouble {
        Trouble::Silent => std::future::pending().await,
        Trouble::Slow => {
            tcp.write_all(HEAD.as_bytes()).await?;
            loop {
                tcp.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Trouble::Endless => {
            tcp.write_all(HEAD.as_bytes()).await?;
            loop {
                tcp.write_all(&[b' '; 65_536]).await?;
            }
        }
        Trouble::Redirect(to) => {
            let head = format!(
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            tcp.write_all(head.as_bytes()).await
        }
        Trouble::Status(status) => {
            let head = format!(
                "HTTP/1.1 {status} Whatever\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
            );
            tcp.write_all(head.as_bytes()).await
        }
        Trouble::Says(text) => tcp.write_all(format!("{HEAD}{text}").as_bytes()).await,
    }
}
