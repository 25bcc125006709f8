//! Sessions: listing and ending them, and their lifetimes.

use std::time::Duration;

use latchkey::auth::upkeep;
use reqwest::Method;
use serde_json::json;

use crate::support::{App, PASSWORD, send, wait_until};

#[tokio::test]
async fn the_list_shows_each_browser_and_marks_the_current_one() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    let login = json!({"username": "susan", "password": PASSWORD, "remember_me": true});
    let request = app
        .visitor()
        .request(Method::POST, "/api/login")
        .header("user-agent", "Phone/1.0")
        .json(&login);
    let phone = send(request).await;
    assert_eq!(phone.status, 200);
    susan.log_in("susan").await.expect(200);
    let list = susan.get("/api/sessions").await.expect(200).body;
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list.iter().filter(|one| one["current"] == true).count(), 1);
    let phone = list.iter().find(|one| one["remembered"] == true).unwrap();
    assert_eq!(
        (phone["ip"].as_str(), phone["current"].as_bool()),
        (Some("127.0.0.1"), Some(false))
    );
    assert_eq!(phone["user_agent"], "Phone/1.0");
}

#[tokio::test]
async fn a_session_can_be_ended_by_its_id() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let phone = app.visitor();
    let id = phone.log_in("susan").await.expect(200).body["session"]["id"].clone();
    let path = format!("/api/sessions/{}", id.as_str().unwrap());
    susan.delete(&path).await.expect(204);
    assert!(!phone.is_logged_in().await);
    assert!(susan.is_logged_in().await);
    susan.delete(&path).await.refused(404, "session_not_found");
}

#[tokio::test]
async fn another_users_session_is_not_found_and_survives() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let id = susan.get("/api/me").await.body["session"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let miguel = app.logged_in("miguel").await;
    for id in [
        id.as_str(),
        "00000000-0000-4000-8000-000000000000",
        "nonsense",
        "%00",
        "1",
    ] {
        miguel
            .delete(&format!("/api/sessions/{id}"))
            .await
            .refused(404, "session_not_found");
    }
    assert!(susan.is_logged_in().await);
}

#[tokio::test]
async fn all_other_sessions_end_at_once() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let others = [app.visitor(), app.visitor(), app.visitor()];
    for other in &others {
        other.log_in("susan").await.expect(200);
        assert!(other.is_logged_in().await);
    }
    assert_eq!(
        susan.delete("/api/sessions").await.expect(200).body["revoked"],
        3
    );
    for other in &others {
        assert!(!other.is_logged_in().await);
    }
    assert!(susan.is_logged_in().await);
    assert_eq!(
        susan.delete("/api/sessions").await.expect(200).body["revoked"],
        0
    );
}

#[tokio::test]
async fn the_51st_session_ends_the_oldest() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let second = app.visitor();
    second.log_in("susan").await.expect(200);
    for _ in 0..49 {
        app.visitor().log_in("susan").await.expect(200);
    }
    assert_eq!(app.count("select count(*) from sessions").await, 50);
    assert!(!susan.is_logged_in().await);
    assert!(second.is_logged_in().await);
    let events = second.get("/api/me/events").await.expect(200).body;
    let revoked = events["events"].as_array().unwrap().iter();
    let revoked = revoked.filter(|event| event["kind"] == "session_revoked");
    assert_eq!(revoked.count(), 1);
}

#[tokio::test]
async fn time_without_the_database_does_not_prolong_a_session() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let id = susan.get("/api/me").await.body["session"]["id"].clone();
    let id: uuid::Uuid = id.as_str().unwrap().parse().unwrap();
    app.sql("update sessions set last_seen_at = now() - interval '1 hour'")
        .await;
    // Used 20 minutes ago, and before that; it could not be written meanwhile.
    for minutes in [20, 40] {
        let used = std::time::Instant::now() - Duration::from_secs(minutes * 60);
        app.services.used_sessions.note(id, used);
    }
    upkeep::write_down(&app.services).await.unwrap();
    let minutes = "select extract(epoch from now() - last_seen_at)::int / 60 from sessions";
    assert_eq!(app.count(minutes).await, 20);
    // A later use is never overwritten by an earlier one.
    let used = std::time::Instant::now() - Duration::from_secs(30 * 60);
    app.services.used_sessions.note(id, used);
    upkeep::write_down(&app.services).await.unwrap();
    assert_eq!(app.count(minutes).await, 20);
}

#[tokio::test]
async fn an_expired_session_is_over_even_if_nothing_can_be_written() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    app.sql("update sessions set last_seen_at = now() - interval '13 hours'")
        .await;
    app.refuse_writes().await;
    wait_until("it reads again", async || {
        susan.get("/api/me").await.status != 503
    })
    .await;
    for _ in 0..3 {
        let me = susan.get("/api/me").await;
        me.refused(401, "not_authenticated");
    }
}

#[tokio::test]
async fn sessions_expire_and_time_out_when_idle_unless_remembered() {
    let app = App::start().await;
    let ends = [
        (
            "update sessions set last_seen_at = now() - interval '12 hours 1 second'",
            false,
            false,
        ),
        (
            "update sessions set last_seen_at = now() - interval '11 hours 59 minutes'",
            false,
            true,
        ),
        (
            "update sessions set last_seen_at = now() - interval '29 days'",
            true,
            true,
        ),
        ("update sessions set expires_at = now()", false, false),
        ("update sessions set expires_at = now()", true, false),
    ];
    for (n, (sql, remember_me, lives)) in ends.into_iter().enumerate() {
        let name = format!("user{n}");
        let user = app.registered(&name).await;
        user.post(
            "/api/login",
            json!({"username": name, "password": PASSWORD, "remember_me": remember_me}),
        )
        .await
        .expect(200);
        assert!(user.is_logged_in().await);
        app.sql(sql).await;
        wait_until("the change arrives", async || {
            user.is_logged_in().await == lives
        })
        .await;
        if lives {
            user.get("/api/sessions").await.expect(200);
        }
        app.sql("delete from sessions").await;
    }
}

#[tokio::test]
async fn use_keeps_a_session_alive_but_not_past_its_maximum() {
    let app = App::with(&["--session-idle=4s", "--session-max=8s"]).await;
    let susan = app.logged_in("susan").await;
    let started = std::time::Instant::now();
    while susan.is_logged_in().await {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let lived = started.elapsed().as_secs_f32();
    assert!((7.0..12.0).contains(&lived), "lived {lived} s");
    susan.log_in("susan").await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(4500)).await;
    assert!(!susan.is_logged_in().await);
}

#[tokio::test]
async fn last_seen_is_written_at_most_once_a_minute_in_the_background() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let age = "select (extract(epoch from now() - last_seen_at))::int from sessions";
    app.sql("update sessions set last_seen_at = now() - interval '5 minutes'")
        .await;
    wait_until("the change arrives and the use is written", async || {
        susan.get("/api/me").await.expect(200);
        app.count(age).await < 60
    })
    .await;
    let xmin = "select xmin::text::bigint from sessions";
    let version = app.count(xmin).await;
    for _ in 0..50 {
        susan.get("/api/me").await.expect(200);
    }
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(app.count(xmin).await, version);
}

#[tokio::test]
async fn expired_rows_are_purged() {
    let app = App::start().await;
    app.registered("susan").await;
    app.sql(
        "insert into sessions (key_hash, user_id, remembered, expires_at) \
         select sha256(n::text::bytea), (select id from users), false, now() - interval '1 second' from generate_series(1, 2500) n",
    )
    .await;
    let sibling = app.sibling(&[]).await;
    wait_until("the rows are gone", async || {
        sibling.count("select count(*) from sessions").await == 0
    })
    .await;
}

#[tokio::test]
async fn sessions_survive_a_restart() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let sibling = app.sibling(&[]).await;
    let database = app.database.share();
    drop(app);
    assert!(susan.at(sibling.address).is_logged_in().await);
    drop(database);
}

#[tokio::test]
async fn an_expired_session_stays_expired_when_the_clock_goes_back() {
    let app = App::start().await;
    for remember_me in [false, true] {
        let name = format!("user{remember_me}");
        let user = app.registered(&name).await;
        let form = json!({"username": name, "password": PASSWORD, "remember_me": remember_me});
        user.post("/api/login", form).await.expect(200);
        // As if the clock had jumped 40 days ahead, and then back.
        let shift = |sign: &str| {
            let days = format!("{sign} interval '40 days'");
            format!(
                "update sessions set last_seen_at = last_seen_at {days}, expires_at = expires_at {days}"
            )
        };
        app.sql(&shift("-")).await;
        wait_until("it expires", async || !user.is_logged_in().await).await;
        app.sql(&shift("+")).await;
        assert!(!user.is_logged_in().await, "remembered: {remember_me}");
    }
}
