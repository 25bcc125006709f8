//! The access log: a line a request, and nothing secret in it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::process::{Process, TempDir, command};
use crate::support::{PASSWORD, Visitor, wait_until};

/// Request id, method, route, status and address of a line.
type Line = [String; 5];

/// The lines about requests in a log of JSON.
fn lines(process: &Process) -> Vec<Value> {
    let output = process.output.lock().unwrap().clone();
    let lines = output
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == "request").collect()
}

/// What is sent, with a secret wherever a client can put one; and method, route and status of the line about it.
const SENT: &str = "
    POST   /api/register                                  POST   /api/register       201
    POST   /api/login                                     POST   /api/login          200
    POST   /api/password/reset?token=s3cret-in-the-query  POST   /api/password/reset 410
    GET    /api/me?password=s3cret-in-the-query           GET    /api/me             200
    DELETE /api/sessions/s3cret-in-the-path               DELETE /api/sessions/{id}  404
    GET    /s3cret-in-the-path                            GET    none                404
    GET    /swagger-ui/s3cret-in-the-path                 GET    /swagger-ui/{file}  404
    S3CRET /api/me                                        other  /api/me             405
    HEAD   /api/config                                    HEAD   /api/config         200
    GET    /api/%63onfig                                  GET    /api/config         200
    POST   /api/logout                                    POST   /api/logout         403
";

/// Sends them, and returns the lines that they should leave.
async fn send_secrets(visitor: &Visitor) -> Vec<Line> {
    let mut lines = Vec::new();
    for line in SENT.trim().lines() {
        let [method, path, logged, route, status] = line
            .split_whitespace()
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = visitor.request(method, path);
        let request = match route {
            "/api/register" => {
                let email = "susan@example.com";
                request.json(&json!({"username": "susan", "email": email, "password": PASSWORD}))
            }
            "/api/login" => request.json(&json!({"username": "susan", "password": PASSWORD})),
            "/api/password/reset" => {
                let password = "another-S3cret-in-the-body";
                request.json(&json!({"token": "s3cret-in-the-body", "password": password}))
            }
            "/api/logout" => request.header("origin", "http://s3cret.example"),
            _ => request,
        };
        let request = request.bearer_auth("s3cret-in-a-header");
        let request = request.header("x-forwarded-for", "203.0.113.9");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_str(), status, "{line}");
        let id = answer.headers()["x-request-id"].to_str().unwrap();
        let texts = [id, logged, route, status, "203.0.113.9"];
        lines.push(texts.map(ToOwned::to_owned));
    }
    lines
}

#[tokio::test]
async fn it_has_one_line_a_request_and_no_secret() {
    let data = TempDir::new();
    let process = Process::spawn(
        command(&data.0)
            .env("LATCHKEY_ACCESS_LOG", "on")
            .env("LATCHKEY_TRUSTED_PROXIES", "127.0.0.1")
            .env("LATCHKEY_LOG_FORMAT", "json"),
    );
    let expected = send_secrets(&process.visitor()).await;
    wait_until("every line is there", async || {
        lines(&process).len() >= expected.len()
    })
    .await;
    let lines = lines(&process);
    let told = lines.iter().map(|line| {
        assert!(
            line["ms"]
                .as_f64()
                .is_some_and(|ms| (0.001..60_000.0).contains(&ms)),
            "{line}"
        );
        assert_eq!(line["level"], "INFO");
        let text = |key: &str| {
            line[key]
                .as_str()
                .map_or_else(|| line[key].to_string(), ToOwned::to_owned)
        };
        ["request_id", "method", "route", "status", "ip"].map(text)
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let members = |line: &Value| line.as_object().unwrap().len();
    assert!(lines.iter().all(|line| members(line) == 10), "{}", lines[0]);
    let told = serde_json::to_string(&lines).unwrap().to_lowercase();
    assert!(
        !told.contains("susan") && !told.contains("s3cret"),
        "{told}"
    );
    let all = process.output.lock().unwrap().to_lowercase();
    assert!(
        !all.contains("s3cret-") && !all.contains(&PASSWORD.to_lowercase()),
        "{all}"
    );
}

#[tokio::test]
async fn it_is_text_where_the_log_is_and_off_unless_asked_for() {
    let data = TempDir::new();
    let mut process = Process::spawn(command(&data.0).env("LATCHKEY_ACCESS_LOG", "on"));
    let id = process.visitor().get("/api/me").await.expect(401);
    let id = id.header("x-request-id").to_owned();
    let of = |process: &Process, id: &str| {
        let output = process.output.lock().unwrap().clone();
        output
            .lines()
            .find(|line| line.contains(id))
            .map(ToOwned::to_owned)
    };
    wait_until("the line is there", async || of(&process, &id).is_some()).await;
    let line = of(&process, &id).unwrap();
    let told = "INFO request method=\"GET\" route=\"/api/me\" status=401 ms=";
    assert!(
        line.contains(told) && line.contains(" ip=127.0.0.1 "),
        "{line}"
    );
    process.signal("TERM");
    process.wait();
    let mut process = Process::start(&data.0);
    let id = process.visitor().get("/api/me").await.expect(401);
    process.signal("TERM");
    process.wait();
    assert_eq!(of(&process, id.header("x-request-id")), None);
}
