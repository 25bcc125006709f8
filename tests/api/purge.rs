//! Deleting what has expired: in the background, without getting in anybody's way.

use chrono::TimeDelta;
use diesel_async::RunQueryDsl;
use latchkey::store::expiry::{Deleted, Expiring, TURN};

use crate::support::{App, wait_until};

/// An app with a user and `count` sessions that expired, one a second.
async fn with_expired(count: usize) -> App {
    let app = App::start().await;
    app.registered("susan").await;
    let insert = format!(
        "insert into sessions (key_hash, user_id, remembered, expires_at) \
         select sha256(n::text::bytea), (select id from users), false, now() - n * interval '1 second' \
         from generate_series(1, {count}) n"
    );
    app.sql(&insert).await;
    app
}

async fn delete_ten(app: &App, after: &Deleted) -> Deleted {
    let mut conn = app.database.connector().connect().await.unwrap();
    let deleted = Expiring::Sessions.delete(&mut conn, after.until, 10).await;
    deleted.unwrap()
}

#[tokio::test]
async fn a_last_use_is_written_while_a_purge_goes_on() {
    let app = with_expired(10_000).await;
    let mary = app.logged_in("mary").await;
    app.sql(
        "update sessions set last_seen_at = now() - interval '5 minutes' where expires_at > now(); \
         create function wait() returns trigger language plpgsql as 'begin perform pg_sleep(0.3); return null; end'; \
         create trigger slow before delete on sessions for each statement execute function wait()",
    )
    .await;
    let sibling = app.sibling(&[]).await;
    let written = "select count(*) from sessions where expires_at > now() and last_seen_at > now() - interval '1 minute'";
    wait_until("the use is written", async || {
        let me = mary.at(sibling.address).get("/api/me").await;
        me.expect(200);
        sibling.count(written).await == 1
    })
    .await;
    let expired = "select count(*) from sessions where expires_at < now()";
    assert!(sibling.count(expired).await > 0, "the purge was over");
}

#[tokio::test]
async fn a_purge_knows_how_far_it_is_behind() {
    let app = with_expired(25).await;
    let first = delete_ten(&app, &Deleted::default()).await;
    let behind = first.behind.unwrap();
    assert!((15.5..60.0).contains(&behind), "{behind}");
    app.sql("update sessions set expires_at = expires_at - interval '2 days'")
        .await;
    let late = delete_ten(&app, &Deleted::default()).await;
    assert!(late.behind.unwrap() > 2.0 * 86_400.0, "{late:?}");
    app.sql("delete from sessions").await;
    let none = delete_ten(&app, &late).await;
    assert_eq!((none.rows, none.behind), (0, None));
}

#[tokio::test]
async fn only_one_instance_purges_at_a_time() {
    let app = with_expired(10).await;
    let mut other = app.database.connector().connect().await.unwrap();
    for (call, rows) in [("pg_advisory_lock", 0), ("pg_advisory_unlock", 10)] {
        let turn = diesel::sql_query(format!("select {call}({TURN})"));
        turn.execute(&mut other).await.unwrap();
        let deleted = delete_ten(&app, &Deleted::default()).await;
        assert_eq!(deleted.rows, rows, "{call}");
    }
}

#[tokio::test]
async fn a_purge_starts_with_the_oldest_and_goes_on_where_it_was() {
    let app = with_expired(25).await;
    let first = delete_ten(&app, &Deleted::default()).await;
    let second = delete_ten(&app, &first).await;
    assert_eq!([first.rows, second.rows], [10, 10]);
    let between = second.until.unwrap() - first.until.unwrap();
    assert_eq!(between, TimeDelta::seconds(10));
    app.sql("update sessions set expires_at = now() - interval '1 hour'")
        .await;
    assert_eq!(delete_ten(&app, &second).await.rows, 0);
    assert_eq!(delete_ten(&app, &Deleted::default()).await.rows, 5);
}
