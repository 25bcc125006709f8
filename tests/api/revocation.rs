//! An ended session is dead everywhere at once, and never comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel_async::SimpleAsyncConnection;
use serde_json::json;

use crate::support::{App, PASSWORD, Visitor, wait_until};

#[tokio::test]
async fn two_instances_share_sessions_and_logouts() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    for _ in 0..20 {
        let susan = app.visitor();
        susan.log_in("susan").await;
        let susan = if app.count("select count(*) from users").await == 0 {
            app.logged_in("susan").await
        } else {
            susan
        };
        let there = susan.at(sibling.address);
        assert!(there.is_logged_in().await);
        susan.log_out().await.expect(204);
        wait_until("the other instance is notified", async || {
            !there.is_logged_in().await
        })
        .await;
    }
}

#[tokio::test]
async fn changes_in_psql_take_effect_at_once() {
    let app = App::start().await;
    let statements = [
        "delete from sessions",
        "truncate sessions",
        "update sessions set expires_at = now()",
        "update users set disabled_at = now()",
        "update users set password_hash = 'another'",
        "delete from users",
    ];
    for (n, sql) in statements.into_iter().enumerate() {
        let user = app.logged_in(&format!("user{n}")).await;
        assert!(user.is_logged_in().await);
        app.sql(sql).await;
        wait_until(sql, async || !user.is_logged_in().await).await;
        app.sql("delete from users").await;
    }
}

#[tokio::test]
async fn sessions_ended_by_disabling_stay_ended_after_enabling() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    app.sql("update users set disabled_at = now()").await;
    app.sql("update users set disabled_at = null").await;
    wait_until("the session is dead", async || !susan.is_logged_in().await).await;
    susan.log_in("susan").await.expect(200);
}

#[tokio::test]
async fn changes_to_a_user_appear_in_me() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    assert!(susan.is_logged_in().await);
    app.sql("update users set email = 'new@example.com'").await;
    wait_until("the new address is shown", async || {
        susan.get("/api/me").await.body["email"] == "new@example.com"
    })
    .await;
}

#[tokio::test]
async fn nothing_stale_is_served_while_the_listener_is_cut() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    for _ in 0..10 {
        susan.log_in("susan").await.expect(200);
        assert!(susan.is_logged_in().await);
        app.sql(&format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'latchkey listener' and \
             datname = '{}'",
            app.database.name()
        ))
        .await;
        wait_until("the cache is closed", async || {
            !app.services.sessions.is_open()
        })
        .await;
        app.sql("delete from sessions").await;
        assert!(!susan.is_logged_in().await);
        app.wait_for_cache().await;
        assert!(!susan.is_logged_in().await);
    }
}

#[tokio::test]
async fn a_logout_wins_over_requests_in_flight() {
    let app = Arc::new(App::start().await);
    app.registered("susan").await;
    for _ in 0..30 {
        let susan = app.visitor();
        susan.log_in("susan").await.expect(200);
        let requests = (0..20).map(|_| susan.get("/api/me"));
        let (_, logout) = tokio::join!(futures_util::future::join_all(requests), susan.log_out());
        logout.expect(204);
        susan.get("/api/me").await.refused(401, "not_authenticated");
    }
    assert_eq!(app.count("select count(*) from sessions").await, 0);
}

/// A password change recreates the session under another key. Ending all sessions at that moment must not miss it.
#[tokio::test]
async fn the_panic_button_wins_over_a_concurrent_password_change_and_login() {
    let app = App::start().await;
    app.registered("susan").await;
    let (mut old, mut new) = (PASSWORD.to_owned(), "seven-Boats-under-9-moons".to_owned());
    for _ in 0..40 {
        let (panicking, thief, late) = (app.visitor(), app.visitor(), app.visitor());
        let login = json!({"username": "susan", "password": old});
        panicking
            .post("/api/login", login.clone())
            .await
            .expect(200);
        thief.post("/api/login", login.clone()).await.expect(200);
        let change = json!({"current_password": old, "new_password": new});
        let (revoked, changed, _) = tokio::join!(
            panicking.delete("/api/sessions"),
            thief.post("/api/password/change", change),
            late.post("/api/login", login),
        );
        // One of them came first. If the button did, the thief was logged out and could change nothing; otherwise it
        // ended the recreated session.
        if revoked.status == 200 && changed.status == 200 {
            assert!(
                !thief.is_logged_in().await,
                "a recreated session escaped the button"
            );
        }
        if changed.status == 200 {
            std::mem::swap(&mut old, &mut new);
        }
        app.sql("delete from sessions").await;
        app.services.sessions.close();
        app.services.sessions.open();
    }
}

/// Keeps checking whether the session is alive. Once it has ended, this instance must not say so.
async fn read_on(there: Visitor, over: Arc<AtomicBool>, is_bound: bool) {
    for _ in 0..25 {
        let ended = over.load(Ordering::SeqCst);
        let alive = there.is_logged_in().await;
        let revived = alive && ended && is_bound;
        assert!(!revived, "a revoked session was alive again");
    }
}

/// Logs in, and ends the session while both instances read it.
async fn log_in_and_out(app: &App, sibling: &App, round: usize, with_logout: bool) {
    let susan = app.visitor();
    let login = susan.log_in("susan").await.expect(200);
    let id = login.body["session"]["id"].as_str().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|n| {
            let same = n % 2 == 0;
            let there = susan.at(if same { app.address } else { sibling.address });
            tokio::spawn(read_on(there, over.clone(), same))
        })
        .collect();
    if round.is_multiple_of(3) {
        let form = json!({"password": PASSWORD});
        susan.post("/api/reauthenticate", form).await;
    }
    if with_logout {
        susan.log_out().await.expect(204);
    } else {
        let session = format!("/api/sessions/{id}");
        susan.delete(&session).await.expect(204);
    }
    over.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    let there = susan.at(sibling.address);
    wait_until("the other instance is notified", async || {
        !there.is_logged_in().await
    })
    .await;
    assert!(!there.is_logged_in().await && !susan.is_logged_in().await);
}

/// Revocations, changes, cache fills and reads on two instances, thousands of times. Once a request has ended a
/// session, the instance that ended it never shows it alive again; in the end no instance does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_interleaving_revives_an_ended_session() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    app.registered("susan").await;
    let (app, sibling) = (&app, &sibling);
    let lanes = (0..8).map(|lane| async move {
        for round in 0..40 {
            log_in_and_out(app, sibling, round, (lane + round) % 2 == 0).await;
        }
    });
    futures_util::future::join_all(lanes).await;
}

/// A new key must not carry the session past a logout that used the old one.
#[tokio::test]
async fn a_logout_ends_a_session_whose_key_is_being_renewed() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let waiting = "select count(*) from pg_stat_activity \
        where datname = current_database() and wait_event_type = 'Lock'";
    let waits = async |count: i64| {
        wait_until("it waits for the row", async || {
            app.count(waiting).await == count
        })
        .await;
    };
    let mut holder = app.database.connector().connect().await.unwrap();
    let hold = holder.batch_execute("begin; select from sessions for update");
    hold.await.unwrap();
    let renewal = susan.post("/api/reauthenticate", json!({"password": PASSWORD}));
    let logout = async {
        waits(1).await;
        let leaving = susan.log_out();
        let release = async {
            waits(2).await;
            holder.batch_execute("commit").await.unwrap();
        };
        tokio::join!(leaving, release).0
    };
    let (renewed, left) = tokio::join!(renewal, logout);
    renewed.expect(200);
    left.expect(204);
    assert_eq!(app.count("select count(*) from sessions").await, 0);
}
