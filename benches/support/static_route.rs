//! A static actix route to compare with.

use std::process::Command;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{App, HttpResponse, HttpServer, web};

/// The command that serves the static route: this program again, with the answer to give.
pub fn command(answer: &[u8]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let answer = std::str::from_utf8(answer).unwrap();
    command.args(["--static-route", answer]);
    command
}

/// Serves what `static_route` was given: to every request an answer of as many bytes under the same headers.
pub async fn serve(answer: &str, workers: usize) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body = web::Bytes::copy_from_slice(body.as_bytes());
    // These two are actix's own.
    let own = ["content-length", "date"];
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        let value: HeaderValue = value.parse().unwrap();
        (name.parse::<HeaderName>().unwrap(), value)
    };
    let headers: Vec<_> = head
        .lines()
        .skip(1)
        .map(header)
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .collect();
    let server = HttpServer::new(move || {
        let (body, headers) = (body.clone(), headers.clone());
        App::new().route(
            "/api/me",
            web::get().to(move || {
                let mut answer = HttpResponse::Ok();
                for header in &headers {
                    answer.append_header(header.clone());
                }
                std::future::ready(answer.body(body.clone()))
            }),
        )
    });
    let server = server.workers(workers).bind("127.0.0.1:0").unwrap();
    println!("http://{}", server.addrs()[0]);
    server.run().await.unwrap();
}
