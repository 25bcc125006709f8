//! PostgreSQL goes away and comes back, while Latchkey keeps running.

use std::time::Duration;

use serde_json::json;

use crate::support::proxy::Line;
use crate::support::{App, PASSWORD, wait_until};

/// Twice what is promised, to allow for busy machines. The fault suite checks the figures themselves (R3, R4).
const IN_TIME: Duration = Duration::from_secs(6);

#[tokio::test]
async fn while_the_database_is_down_every_endpoint_says_so_and_recovers_afterwards() {
    let (app, mut proxy) = App::behind_proxy(Line::Good, &[]).await;
    app.wait_for_cache().await;
    let susan = app.logged_in("susan").await;
    assert!(susan.is_logged_in().await);
    proxy.close().await;
    wait_until("the cache is closed", async || {
        !app.services.sessions.is_open()
    })
    .await;

    for path in ["/api/me", "/api/sessions", "/health/ready"] {
        let reply = tokio::time::timeout(IN_TIME, susan.get(path))
            .await
            .expect("an answer in time");
        let reply = reply.refused(503, "database_unavailable");
        assert!(reply.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    let stranger = app.visitor();
    let form = json!({"username": "miguel", "email": "miguel@example.com", "password": PASSWORD});
    stranger
        .post("/api/register", form)
        .await
        .refused(503, "database_unavailable");
    stranger
        .log_in("susan")
        .await
        .refused(503, "database_unavailable");
    susan.log_out().await.refused(503, "database_unavailable");
    app.visitor().get("/health/live").await.expect(200);
    susan.get("/api/errors").await.expect(200);

    proxy.open().await;
    wait_until("the same session is recognized again", async || {
        susan.get("/api/me").await.status == 200
    })
    .await;
    susan.get("/health/ready").await.expect(200);
    wait_until("the cache is open again", async || {
        app.services.sessions.is_open()
    })
    .await;
    susan.log_out().await.expect(204);
    assert!(!susan.is_logged_in().await);
}

#[tokio::test]
async fn a_locked_table_causes_a_timely_503_not_a_hang() {
    let app = App::start().await;
    app.registered("susan").await;
    let lock = tokio::spawn({
        let database = app.database.share();
        async move {
            database
                .sql("begin; lock table users; select pg_sleep(10); commit")
                .await
        }
    });
    let locked = "select count(*) from pg_locks where relation = 'users'::regclass and mode = 'AccessExclusiveLock' and granted";
    wait_until("the table is locked", async || app.count(locked).await == 1).await;
    let visitor = app.visitor();
    let attempts = (0..20).map(|_| tokio::time::timeout(IN_TIME, visitor.log_in("susan")));
    for reply in futures_util::future::join_all(attempts).await {
        reply
            .expect("an answer in time")
            .refused(503, "database_unavailable");
    }
    lock.await.unwrap();
    visitor.log_in("susan").await.expect(200);
}

#[tokio::test]
async fn behind_a_pooler_that_drops_notifications_the_cache_stays_closed() {
    let (app, _proxy) = App::behind_proxy(Line::Deaf, &[]).await;
    let sibling = app.sibling(&[]).await;
    let susan = app.logged_in("susan").await;
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        assert!(susan.is_logged_in().await);
        assert!(
            !app.services.sessions.is_open(),
            "open without having received its own notification"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    susan.at(sibling.address).log_out().await.expect(204);
    assert!(
        !susan.is_logged_in().await,
        "read from the database, not from memory"
    );
}

#[tokio::test]
async fn over_a_dead_or_slow_line_responses_still_arrive_in_time() {
    let (app, proxy) = App::behind_proxy(Line::Good, &[]).await;
    let susan = app.logged_in("susan").await;
    for line in [Line::Dead, Line::Slow(Duration::from_secs(2))] {
        proxy.set(line);
        let stranger = app.visitor();
        let asked = async { tokio::join!(stranger.log_in("susan"), susan.get("/api/sessions")) };
        let (login, list) = tokio::time::timeout(IN_TIME, asked)
            .await
            .expect("answers in time");
        login.refused(503, "database_unavailable");
        list.refused(503, "database_unavailable");
        proxy.set(Line::Good);
        wait_until("everything works again", async || {
            susan.get("/api/sessions").await.status == 200
                && app.visitor().log_in("susan").await.status == 200
        })
        .await;
    }
}

#[tokio::test]
async fn connections_that_became_read_only_are_dropped_and_ready_fails_meanwhile() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let name = app.database.name().to_owned();
    app.refuse_writes().await;
    let ready = async || app.visitor().get("/health/ready").await;
    wait_until("ready fails", async || ready().await.status == 503).await;
    for _ in 0..20 {
        let reply = app.visitor().log_in("susan").await;
        reply.refused(503, "database_unavailable");
    }
    assert_eq!(susan.get("/api/me").await.status, 200, "reads continue");
    // And back, without cutting connections: the read-only ones must not be kept.
    app.sql(&format!(
        "begin read write; alter database {name} reset default_transaction_read_only; commit"
    ))
    .await;
    wait_until("ready again", async || ready().await.status == 200).await;
    for _ in 0..10 {
        let visitor = app.visitor();
        visitor.log_in("susan").await.expect(200);
        visitor.log_out().await.expect(204);
    }
}

#[tokio::test]
async fn a_broken_query_counts_as_our_bug_not_as_a_missing_database() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    app.sql("alter table sessions rename column remembered to forgotten")
        .await;
    let sibling = app.sibling(&[]).await;
    let at_sibling = susan.at(sibling.address);
    at_sibling
        .get("/api/me")
        .await
        .refused(500, "internal_error");
    at_sibling.log_out().await.refused(500, "internal_error");
    app.sql("alter table sessions rename column forgotten to remembered")
        .await;
    assert_eq!(at_sibling.get("/api/me").await.status, 200);
}
