//! Endpoints of one's own beside Latchkey's: `examples/own_api.rs` as a process, and what they get from the server.

use std::path::{Path, PathBuf};

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, get};
use latchkey::{CurrentUser, Problem};
use reqwest::Method;
use serde_json::json;

use crate::support::process::{Process, TempDir, command_of};
use crate::support::{App, PASSWORD, Visitor, send, wait_until};

/// `cargo test` builds the examples; `cargo test --test api` does not.
fn example() -> PathBuf {
    let binaries = Path::new(env!("CARGO_BIN_EXE_latchkey")).parent().unwrap();
    let built = binaries.join("examples/own_api");
    assert!(
        built.exists(),
        "first: cargo build --example own_api (or run the whole of cargo test)"
    );
    built
}

async fn logged_in(process: &Process, name: &str) -> Visitor {
    let visitor = process.visitor();
    let form =
        json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    visitor.post("/api/register", form).await.expect(201);
    visitor.log_in(name).await.expect(200);
    visitor
}

#[tokio::test]
async fn the_example_serves_its_endpoints_to_those_who_may() {
    let data = TempDir::new();
    let program = example();
    let process = Process::spawn(&mut command_of(&program, &data.0));
    let note = json!({"text": "a note"});
    let nobody = process.visitor();
    let refused = nobody.post("/notes", note.clone()).await;
    refused.refused(401, "not_authenticated");

    let susan = logged_in(&process, "susan").await;
    susan.post("/notes", note.clone()).await.expect(201);
    let refused = susan.get("/notes").await.refused(403, "forbidden");
    assert_eq!(refused.body["needs"], json!(["editor"]));
    let elsewhere = susan.request(Method::POST, "/notes").json(&note);
    let elsewhere = elsewhere.header("sec-fetch-site", "cross-site");
    send(elsewhere).await.refused(403, "cross_origin_request");
    let wrong = susan.post("/notes", json!({"txt": "a note"})).await;
    wrong.refused(400, "malformed_json");

    let mut grant = command_of(&program, &data.0);
    let granted = grant.args(["users", "grant", "susan", "editor"]).output();
    assert!(granted.unwrap().status.success());
    wait_until("the role is known", async || {
        susan.get("/notes").await.status == 200
    })
    .await;
    let id = susan.get("/api/me").await.expect(200).body["id"].clone();
    assert_eq!(
        susan.get("/notes").await.expect(200).body,
        json!([[id, "a note"]])
    );

    susan.log_out().await.expect(204);
    susan.get("/notes").await.refused(401, "not_authenticated");
}

#[get("/media/{id}")]
async fn medium(user: CurrentUser, id: web::Path<u32>) -> Result<String, Problem> {
    user.require_role(&format!("editor:media/{id}"))?;
    Ok(format!("{} may", user.username()))
}

#[get("/typo")]
async fn typo(user: CurrentUser) -> Result<String, Problem> {
    user.require_role("Editor")?;
    Ok("open".to_owned())
}

#[get("/full")]
async fn full() -> HttpResponse {
    HttpResponse::Conflict().json(json!({"reason": "full"}))
}

#[get("/plain")]
async fn plain() -> HttpResponse {
    HttpResponse::Conflict().body("full")
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(medium)
        .service(typo)
        .service(full)
        .service(plain);
}

#[tokio::test]
async fn endpoints_of_ones_own_are_served_like_latchkeys() {
    let app = App::with_own(std::sync::Arc::new(routes)).await;
    let susan = app.logged_in("susan").await;
    susan.get("/media/7").await.refused(403, "forbidden");
    app.sql("insert into user_roles (user_id, role, area) select id, 'editor', 'media' from users")
        .await;
    wait_until("the role is known", async || {
        susan.get("/media/7").await.status == 200
    })
    .await;
    susan.get("/media/x").await.refused(404, "not_found");
    susan.get("/typo").await.refused(500, "internal_error");
    susan.get("/elsewhere").await.refused(404, "not_found");
    let refused = susan.post("/api/verify", json!({})).await;
    refused.refused(405, "method_not_allowed");

    for (path, expected) in [("/full", r#"{"reason":"full"}"#), ("/plain", "full")] {
        let answer = susan.client.get(susan.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 409);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(answer.headers().contains_key("x-request-id"));
        assert_eq!(answer.text().await.unwrap(), expected);
    }
}
