//! One's own security log.

use serde_json::json;

use crate::support::{App, PASSWORD, Visitor, field_codes, wait_until};

async fn kinds(visitor: &Visitor) -> Vec<String> {
    let page = visitor.get("/api/me/events").await.expect(200).body;
    page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_happened_is_listed_the_newest_first_and_only_to_its_user() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let miguel = app.logged_in("miguel").await;
    app.visitor()
        .post(
            "/api/login",
            json!({"username": "susan", "password": "wrong-Password-9"}),
        )
        .await
        .expect(401);
    susan
        .post("/api/reauthenticate", json!({"password": PASSWORD}))
        .await
        .expect(200);
    let expected = ["reauthenticated", "login_failed", "logged_in", "registered"];
    wait_until("all is written", async || kinds(&susan).await == expected).await;
    let event = susan.get("/api/me/events").await.body["events"][1].clone();
    assert_eq!(event["ip"], "127.0.0.1");
    assert!(event["request_id"].as_str().unwrap().len() == 36);
    assert_eq!(kinds(&miguel).await, ["logged_in", "registered"]);
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repetition() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    wait_until("the first are written", async || {
        kinds(&susan).await.len() == 2
    })
    .await;
    app.sql("insert into security_events (kind, user_id, ip, request_id) \
        select 'event' || n, (select id from users), '::1', gen_random_uuid() from generate_series(1, 118) n").await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = susan
            .get(&format!("/api/me/events{cursor}"))
            .await
            .expect(200)
            .body;
        seen.extend(
            page["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|e| e["kind"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("?cursor={next}");
    }
    assert_eq!(seen.len(), 120);
    assert_eq!(
        (seen[0].as_str(), seen[119].as_str()),
        ("event118", "registered")
    );
    for bad in ["x", "-1", "", "99999999999999999999", "1'"] {
        let reply = susan
            .get(&format!("/api/me/events?cursor={bad}"))
            .await
            .refused(422, "validation_failed");
        assert_eq!(field_codes(&reply.body), ["cursor: invalid"]);
    }
}

#[tokio::test]
async fn after_90_days_events_are_forgotten() {
    let app = App::start().await;
    app.registered("susan").await;
    app.sql("insert into security_events (kind, user_id, ip, request_id, created_at) \
        select 'old', (select id from users), '::1', gen_random_uuid(), now() - interval '90 days 1 second' from generate_series(1, 1500)").await;
    let sibling = app.sibling(&[]).await;
    let old = "select count(*) from security_events where kind = 'old'";
    wait_until("the old are gone", async || sibling.count(old).await == 0).await;
}
