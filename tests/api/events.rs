//! A user's own security log.

use std::time::Duration;

use latchkey::auth::events::{self, Kind};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::proxy::Line;
use crate::support::{App, PASSWORD, Visitor, field_codes, somebody, wait_until};

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
async fn events_are_listed_newest_first_and_only_to_their_user() {
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
    assert_eq!(kinds(&susan).await, expected, "in the very next request");
    let event = susan.get("/api/me/events").await.body["events"][1].clone();
    assert_eq!(event["ip"], "127.0.0.1");
    assert!(event["request_id"].as_str().unwrap().len() == 36);
    assert_eq!(kinds(&miguel).await, ["logged_in", "registered"]);
}

#[tokio::test]
async fn pages_have_no_gaps_and_no_duplicates() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    app.sql("insert into security_events (id, kind, user_agent, user_id, ip, request_id) \
        select lpad(to_hex(n), 32, '0')::uuid, 'logged_in', 'event' || n, (select id from users), '::1', \
        gen_random_uuid() from generate_series(1, 118) n").await;
    let miguel = app.logged_in("miguel").await;
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
                .map(|e| e["user_agent"].as_str().unwrap_or_default().to_owned()),
        );
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("?cursor={next}");
        let miguels = miguel.get(&format!("/api/me/events{cursor}")).await;
        assert_eq!(miguels.expect(200).body["events"], json!([]), "not theirs");
    }
    assert_eq!(seen.len(), 120);
    assert_eq!((seen[0].as_str(), seen[119].as_str()), ("event118", ""));
    // In base64, -8000000000000000000 and 8000000000000000000 microseconds, which PostgreSQL does not know.
    let early = "LTgwMDAwMDAwMDAwMDAwMDAwMDAuMDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAw";
    let late = "ODAwMDAwMDAwMDAwMDAwMDAwMC4wMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDA";
    for bad in ["x", "-1", early, late, "", "99999999999999999999", "1'"] {
        let reply = susan
            .get(&format!("/api/me/events?cursor={bad}"))
            .await
            .refused(422, "validation_failed");
        assert_eq!(field_codes(&reply.body), ["cursor: invalid"]);
    }
}

#[tokio::test]
async fn events_are_deleted_after_90_days() {
    let app = App::start().await;
    app.registered("susan").await;
    app.sql("insert into security_events (kind, user_id, ip, request_id, created_at) \
        select 'old', (select id from users), '::1', gen_random_uuid(), now() - interval '90 days 1 second' from generate_series(1, 1500)").await;
    let sibling = app.sibling(&[]).await;
    let old = "select count(*) from security_events where kind = 'old'";
    wait_until("the old ones are gone", async || {
        sibling.count(old).await == 0
    })
    .await;
}

#[tokio::test]
async fn an_event_has_its_time_and_appears_on_every_instance_at_once() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    let susan = app.registered("susan").await;
    for round in 0..20 {
        let reply = susan.log_in("susan").await.expect(200);
        let page = susan.at(sibling.address).get("/api/me/events").await.body;
        let newest = &page["events"][0];
        assert_eq!(newest["kind"], "logged_in", "round {round}");
        assert_eq!(newest["created_at"], reply.body["session"]["created_at"]);
        susan.log_out().await.expect(204);
    }
    let late = "select max(abs(extract(epoch from e.created_at - u.created_at)))::int from users u \
        join security_events e on e.user_id = u.id and e.kind = 'registered'";
    assert_eq!(app.count(late).await, 0);
    let order = "select count(*) from (select kind, lag(kind) over (order by created_at, id) as before \
        from security_events) as seen where kind = before";
    assert_eq!(app.count(order).await, 0, "logins and logouts alternate");
}

#[tokio::test]
async fn an_event_written_late_keeps_its_time() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let id = susan.get("/api/me").await.body["id"]
        .as_str()
        .unwrap()
        .parse()
        .ok();
    let client = somebody();
    let mut event = events::made(Kind::Unlocked, id, &client);
    event.happened -= Duration::from_secs(3600);
    app.services.events.push(event);
    app.services.events.write_down().await.unwrap();
    let age = "select extract(epoch from now() - created_at)::int from security_events where kind = 'unlocked'";
    assert!((3600..3610).contains(&app.count(age).await));
    assert_eq!(kinds(&susan).await, ["logged_in", "registered", "unlocked"]);
}

#[tokio::test]
async fn an_event_written_despite_a_timeout_is_not_written_twice() {
    let (app, proxy) = App::behind_proxy(Line::Good, &[]).await;
    app.wait_for_cache().await;
    app.registered("susan").await;
    // The round trip takes longer than the statement timeout.
    proxy.set(Line::Slow(Duration::from_millis(900)));
    let client = somebody();
    for _ in 0..10 {
        app.services
            .events
            .push(events::made(Kind::LoginFailed, None, &client));
    }
    let written = "select count(*) from security_events where kind = 'login_failed'";
    assert!(app.services.events.write_down().await.is_err());
    wait_until("it is written all the same", async || {
        app.count(written).await == 10
    })
    .await;
    proxy.set(Line::Good);
    wait_until("the response arrives too", async || {
        app.services.events.write_down().await.is_ok()
    })
    .await;
    assert_eq!(app.count(written).await, 10);
}

/// Sends a request to a server whose hasher is busy, and resets the connection while the request waits.
async fn send_and_disconnect(app: &App, path: &str, cookie: &str, form: Value) {
    let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let body = form.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    app.hasher_has_waiting(1).await;
    stream.set_zero_linger().unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn what_a_request_does_is_recorded_even_if_the_client_disconnects() {
    let app = App::with(&["--hash-workers=1", "--rate-limits=on"]).await;
    let susan = app.registered("susan").await;
    let login = susan.log_in("susan").await.expect(200);
    let cookie = &login.session_cookie();
    let other = "violet-Bridge-77-snow";
    let person = json!({"username": "miguel", "email": "miguel@example.com", "password": PASSWORD});
    let change = json!({"current_password": PASSWORD, "new_password": other});
    for (path, cookie, form, kind) in [
        (
            "/api/login",
            "",
            json!({"username": "susan", "password": "wrong-Password-9"}),
            "login_failed",
        ),
        ("/api/register", "", person, "registered"),
        ("/api/password/change", cookie, change, "password_changed"),
    ] {
        let recorded = format!("select count(*) from security_events where kind = '{kind}'");
        let before = app.count(&recorded).await;
        let busy = app.busy_hasher().await;
        send_and_disconnect(&app, path, cookie, form).await;
        busy.let_go().await;
        wait_until(&format!("{kind} is recorded"), async || {
            app.count(&recorded).await == before + 1
        })
        .await;
    }
    let form = json!({"username": "susan", "password": other});
    app.visitor().post("/api/login", form).await.expect(200);
    app.visitor().log_in("miguel").await.expect(200);
}
