//! The OpenAPI document and the list of errors.

use std::collections::HashSet;

use serde_json::Value;

use crate::support::{App, document};

#[test]
fn the_committed_document_matches_the_handlers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(
        &committed,
        document(),
        "run: cargo run -- openapi > openapi/openapi.json"
    );
}

#[tokio::test]
async fn the_server_serves_the_same_document() {
    let app = App::start().await;
    let reply = app.visitor().get("/api/openapi.json").await.expect(200);
    assert_eq!(&reply.body, document());
    assert_eq!(reply.body["openapi"], "3.1.0");
}

#[test]
fn every_operation_has_an_id_a_summary_and_described_responses() {
    let mut ids = HashSet::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{place}: id"
            );
            assert!(operation["summary"].is_string(), "{place}: summary");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                assert!(
                    !answer["description"].as_str().unwrap().is_empty(),
                    "{place} {status}"
                );
                let refusal = status.starts_with(['4', '5']);
                assert_eq!(
                    answer["content"].get("application/problem+json").is_some(),
                    refusal,
                    "{place} {status}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_error_list_explains_every_code_once() {
    let app = App::start().await;
    let reply = app.visitor().get("/api/errors").await.expect(200);
    let listed: Vec<&str> = reply
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["code"].as_str().unwrap())
        .collect();
    let documented = &document()["components"]["schemas"]["Code"]["enum"];
    let documented: Vec<&str> = documented
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    assert_eq!(listed, documented);
    assert_eq!(listed.iter().collect::<HashSet<_>>().len(), listed.len());
}

#[tokio::test]
async fn swagger_ui_is_served_from_the_binary_with_its_own_csp() {
    let app = App::start().await;
    let visitor = app.visitor();
    let moved = visitor
        .client
        .get(visitor.url("/swagger-ui"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            moved.status().as_u16(),
            moved.headers()["location"].to_str().unwrap()
        ),
        (308, "/swagger-ui/")
    );
    for file in [
        "",
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        let reply = visitor
            .client
            .get(visitor.url(&format!("/swagger-ui/{file}")))
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), 200, "{file}");
        assert!(
            reply.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'self'")
        );
        let text = reply.text().await.unwrap();
        assert!(!text.is_empty());
        if file.is_empty() {
            assert!(
                !text.contains("https://") && !text.contains("http://"),
                "loads from another site: {text}"
            );
        }
    }
}

proptest::proptest! {
    #[test]
    fn timestamps_match_chronos_format(micros in -62_135_596_800_000_000_i64..253_402_300_799_999_999) {
        let at = chrono::DateTime::from_timestamp_micros(micros).unwrap();
        let ours = serde_json::to_value(latchkey::http::wire::timestamp::Timestamp(at)).unwrap();
        proptest::prop_assert_eq!(ours, at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
    }
}

#[tokio::test]
async fn request_ids_are_unique_and_sort_by_time() {
    let app = App::start().await;
    let visitor = app.visitor();
    let mut ids = Vec::new();
    for _ in 0..20 {
        let reply = visitor.get("/health/live").await.expect(200);
        ids.push(reply.header("x-request-id").parse::<uuid::Uuid>().unwrap());
    }
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    assert!(ids.iter().all(|id| id.get_version_num() == 7), "{ids:?}");
}
