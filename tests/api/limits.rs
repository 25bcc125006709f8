//! Limits: they hold under concurrency and across instances, reveal nothing, and lock no owner out.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::operator::latchkey;
use crate::support::{App, AtOnce, PASSWORD, Reply, Visitor, at_once, send};

pub const ON: &[&str] = &["--rate-limits=on", "--trusted-proxies=127.0.0.1"];

/// A login from this address, through the trusted proxy that the tests act as.
pub async fn try_login(visitor: &Visitor, from: &str, name: &str, password: &str) -> Reply {
    let request = visitor
        .request(Method::POST, "/api/login")
        .header("x-forwarded-for", from);
    send(request.json(&json!({"username": name, "password": password}))).await
}

/// No more wrong passwords were evaluated than the limit, which gives back one attempt in this many seconds.
#[track_caller]
pub fn assert_evaluated(asked: &AtOnce, limit: usize, one_in: u64) {
    let evaluated = codes(&asked.replies)
        .iter()
        .filter(|code| **code == 401)
        .count();
    let most = limit + regained(asked.took, one_in);
    // An attempt is not refunded if its response came too late.
    let least = if asked.put_off == 0 { limit } else { 1 };
    assert!(
        (least..=most).contains(&evaluated),
        "{evaluated} of {least} to {most}"
    );
}

/// How many attempts a limit gives back in this time. A busy machine takes its time.
pub fn regained(time: Duration, one_in: u64) -> usize {
    usize::try_from(time.as_secs() / one_in).unwrap()
}

pub fn codes(replies: &[Reply]) -> Vec<u16> {
    replies.iter().map(|reply| reply.status.as_u16()).collect()
}

#[tokio::test]
async fn parallel_wrong_passwords_never_exceed_the_limit() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let visitor = app.visitor();
    let by_account = at_once(200, async |n| {
        let from = format!("198.51.100.{n}");
        try_login(&visitor, &from, "susan", "wrong-Password-9").await
    });
    assert_evaluated(&by_account.await, 5, 60);
    let by_address = at_once(100, async |n| {
        let name = format!("nobody{n}");
        try_login(&visitor, "203.0.113.1", &name, "wrong-Password-9").await
    });
    assert_evaluated(&by_address.await, 10, 6);
}

#[tokio::test]
async fn refusals_do_not_reveal_users_and_say_how_long_to_wait() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    app.registered("miguel").await;
    let visitor = app.visitor();
    for name in [
        "susan",
        "nobody",
        "miguel@example.com",
        "nobody@example.com",
    ] {
        let mut seen = Vec::new();
        let began = Instant::now();
        for n in 0..7 {
            seen.push(try_login(&visitor, &format!("192.0.2.{n}"), name, "wrong-Password-9").await);
        }
        assert_eq!(codes(&seen), [401, 401, 401, 401, 401, 429, 429], "{name}");
        let last = seen.pop().unwrap().refused(429, "rate_limited");
        assert_eq!(last.header("ratelimit-policy"), "\"account\";q=5;w=300");
        let wait: u32 = last.header("retry-after").parse().unwrap();
        let took = began.elapsed().as_secs_f64().ceil() as u32;
        assert!((60 - took..=61).contains(&wait), "{wait}");
        assert_eq!(
            last.header("ratelimit"),
            format!("\"account\";r=0;t={wait}")
        );
        let detail = format!("Please wait {wait} seconds before trying again.");
        assert_eq!(last.body["detail"], detail);
    }
}

#[tokio::test]
async fn limits_hold_across_instances_and_restarts() {
    let app = App::with(ON).await;
    let sibling = app.sibling(ON).await;
    for n in 0..5 {
        let at = if n % 2 == 0 {
            app.visitor()
        } else {
            sibling.visitor()
        };
        try_login(&at, "192.0.2.1", "susan", "wrong-Password-9")
            .await
            .expect(401);
    }
    try_login(&sibling.visitor(), "192.0.2.2", "susan", "wrong-Password-9")
        .await
        .expect(429);
    let restarted = app.sibling(ON).await;
    try_login(
        &restarted.visitor(),
        "192.0.2.3",
        "susan",
        "wrong-Password-9",
    )
    .await
    .expect(429);
}

#[tokio::test]
async fn a_stranger_cannot_lock_the_owner_out_of_a_known_browser() {
    let app = App::with(ON).await;
    let susan = app.logged_in("susan").await;
    let open = app.visitor();
    try_login(&open, "192.0.2.9", "susan", PASSWORD)
        .await
        .expect(200);
    for _ in 0..8 {
        try_login(&app.visitor(), "192.0.2.1", "susan", "wrong-Password-9").await;
    }
    try_login(&app.visitor(), "192.0.2.2", "susan", PASSWORD)
        .await
        .refused(429, "rate_limited");
    assert!(open.is_logged_in().await, "open sessions stay");
    susan.log_out().await.expect(204);
    try_login(&susan, "192.0.2.1", "susan", PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_known_browser_has_a_separate_limit_for_its_user_only() {
    let app = App::with(ON).await;
    app.registered("miguel").await;
    let susan = app.logged_in("susan").await;
    susan.log_out().await.expect(204);
    for _ in 0..5 {
        try_login(&susan, "192.0.2.1", "susan", "wrong-Password-9")
            .await
            .expect(401);
    }
    try_login(&susan, "192.0.2.1", "susan", PASSWORD)
        .await
        .refused(429, "rate_limited");
    let strangers = app.visitor();
    for _ in 0..5 {
        try_login(&strangers, "192.0.2.7", "miguel", "wrong-Password-9")
            .await
            .expect(401);
    }
    try_login(&susan, "192.0.2.8", "miguel", PASSWORD)
        .await
        .refused(429, "rate_limited");
    let forged = app
        .visitor()
        .request(Method::POST, "/api/login")
        .header("cookie", "latchkey_device=x.y");
    let forged = forged
        .header("x-forwarded-for", "192.0.2.8")
        .json(&json!({"username": "miguel", "password": PASSWORD}));
    send(forged).await.refused(429, "rate_limited");
}

#[tokio::test]
async fn a_good_login_is_refunded_but_does_not_clear_the_address() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    for n in 0..9 {
        try_login(
            &app.visitor(),
            "192.0.2.1",
            &format!("nobody{n}"),
            "wrong-Password-9",
        )
        .await
        .expect(401);
    }
    for _ in 0..5 {
        try_login(&app.visitor(), "192.0.2.1", "susan", PASSWORD)
            .await
            .expect(200);
    }
    try_login(&app.visitor(), "192.0.2.1", "nobody", "wrong-Password-9")
        .await
        .expect(401);
    try_login(&app.visitor(), "192.0.2.1", "nobody", "wrong-Password-9")
        .await
        .expect(429);
}

/// Time passes for the short limits, but not for failures in a row.
async fn minutes_pass(app: &App) {
    app.sql("update rate_limits set full_at = now() where whole < interval '1 day'")
        .await;
}

/// Time passes for all limits.
async fn days_pass(app: &App, days: u32) {
    app.sql(&format!(
        "update rate_limits set full_at = full_at - interval '{days} days'"
    ))
    .await;
}

/// How many of these guesses at susan's password are evaluated, each from another address and long after the one
/// before.
async fn guesses(app: &App, count: u32) -> u32 {
    let mut evaluated = 0;
    for n in 0..count {
        let name = ["susan", "Susan@example.com"][n as usize % 2];
        let from = format!("198.51.{}.{}", n / 100, n % 100);
        let reply = try_login(&app.visitor(), &from, name, "wrong-Password-9").await;
        evaluated += u32::from(reply.status == 401);
        minutes_pass(app).await;
    }
    evaluated
}

#[tokio::test]
async fn after_50_failures_in_a_row_strangers_get_twelve_attempts_a_day() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    assert_eq!(guesses(&app, 60).await, 50);
    let refused = try_login(&app.visitor(), "192.0.2.1", "susan", PASSWORD)
        .await
        .refused(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((7100..=7201).contains(&wait), "two hours, not {wait} s");
    for day in 1..=3 {
        days_pass(&app, 1).await;
        assert_eq!(guesses(&app, 20).await, 12, "day {day}");
    }
    days_pass(&app, 1).await;
    try_login(&app.visitor(), "192.0.2.1", "susan", PASSWORD)
        .await
        .expect(200);
    assert_eq!(guesses(&app, 60).await, 50, "a good login resets the count");
}

#[tokio::test]
async fn unlocking_an_account_forgets_its_failures() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    assert_eq!(guesses(&app, 51).await, 50);
    try_login(&app.visitor(), "192.0.2.1", "susan", PASSWORD)
        .await
        .expect(429);
    let done = latchkey(&app, &["users", "unlock", "SUSAN@example.com"], "");
    assert!(done.status.success());
    try_login(&app.visitor(), "192.0.2.1", "susan", PASSWORD)
        .await
        .expect(200);
    let unlocked = "select count(*) from security_events where kind = 'unlocked'";
    assert_eq!(app.count(unlocked).await, 1);
}

#[tokio::test]
async fn setting_a_password_unlocks_the_account() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    for n in 0..6 {
        let from = format!("192.0.2.{n}");
        try_login(&app.visitor(), &from, "susan", "wrong-Password-9").await;
    }
    try_login(&app.visitor(), "192.0.2.99", "susan", PASSWORD)
        .await
        .expect(429);
    let done = latchkey(&app, &["users", "set-password", "susan"], PASSWORD);
    assert!(done.status.success());
    try_login(&app.visitor(), "192.0.2.99", "susan", PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn forwarded_addresses_count_only_from_trusted_proxies_and_from_the_right() {
    let app = App::with(&["--rate-limits=on", "--trusted-proxies=127.0.0.1,10.0.0.0/8"]).await;
    for n in 0..10 {
        let forged = format!("203.0.113.{n}, 192.0.2.1, 10.1.2.3");
        try_login(
            &app.visitor(),
            &forged,
            &format!("nobody{n}"),
            "wrong-Password-9",
        )
        .await
        .expect(401);
    }
    try_login(&app.visitor(), "192.0.2.1", "nobody", "wrong-Password-9")
        .await
        .expect(429);
    let direct = App::with(&["--rate-limits=on"]).await;
    for n in 0..10 {
        try_login(
            &direct.visitor(),
            &format!("203.0.113.{n}"),
            &format!("nobody{n}"),
            "wrong-Password-9",
        )
        .await
        .expect(401);
    }
    try_login(
        &direct.visitor(),
        "203.0.113.77",
        "nobody",
        "wrong-Password-9",
    )
    .await
    .expect(429);
}

#[tokio::test]
async fn an_ipv6_household_is_one_address() {
    let app = App::with(ON).await;
    for n in 0..10 {
        let from = format!("2001:db8:1:2:{n}::{n}");
        try_login(
            &app.visitor(),
            &from,
            &format!("nobody{n}"),
            "wrong-Password-9",
        )
        .await
        .expect(401);
    }
    try_login(
        &app.visitor(),
        "2001:db8:1:2:ffff::1",
        "nobody",
        "wrong-Password-9",
    )
    .await
    .expect(429);
    try_login(
        &app.visitor(),
        "2001:db8:1:3::1",
        "nobody",
        "wrong-Password-9",
    )
    .await
    .expect(401);
}

#[tokio::test]
async fn a_stolen_session_cannot_use_up_the_owners_password_attempts() {
    let app = App::with(ON).await;
    let susan = app.logged_in("susan").await;
    let thief = app.visitor();
    thief.log_in("susan").await.expect(200);
    let prove = async |who: &Visitor, password: &str| {
        who.post("/api/reauthenticate", json!({"password": password}))
            .await
    };
    for _ in 0..5 {
        prove(&thief, "wrong-Password-9").await.expect(422);
    }
    prove(&thief, PASSWORD).await.refused(429, "rate_limited");
    let change = json!({"current_password": PASSWORD, "new_password": "seven-Boats-under-9-moons"});
    thief
        .post("/api/password/change", change.clone())
        .await
        .refused(429, "rate_limited");
    // The thief uses up the limit of their session for an hour. The owner can still change the password.
    for _ in 0..60 {
        app.sql("update rate_limits set full_at = full_at - interval '1 minute'")
            .await;
        prove(&thief, "wrong-Password-9").await.expect(422);
        prove(&thief, "wrong-Password-9").await.expect(429);
    }
    susan.post("/api/password/change", change).await.expect(200);
    assert!(!thief.is_logged_in().await);
}

#[tokio::test]
async fn password_attempts_are_limited_across_a_users_sessions_too() {
    let app = App::with(ON).await;
    let mut sessions = vec![app.logged_in("susan").await];
    for _ in 0..24 {
        let another = app.visitor();
        another.log_in("susan").await.expect(200);
        sessions.push(another);
    }
    let mut evaluated = 0;
    for session in &sessions {
        app.sql("update rate_limits set full_at = now() where whole = interval '1 minute'")
            .await;
        for _ in 0..5 {
            let form = json!({"password": "wrong-Password-9"});
            let reply = session.post("/api/reauthenticate", form).await;
            evaluated += u32::from(reply.status == 422);
        }
    }
    assert_eq!(evaluated, 100);
}

#[tokio::test]
async fn correct_password_attempts_are_limited_too() {
    let app = App::with(ON).await;
    let susan = app.logged_in("susan").await;
    let (began, mut good) = (Instant::now(), 0);
    let last = loop {
        let form = json!({"password": PASSWORD});
        let reply = susan.post("/api/reauthenticate", form).await;
        if reply.status != 200 {
            break reply;
        }
        good += 1;
        assert!(good <= 30 + regained(began.elapsed(), 2), "{good}");
    };
    assert!(good >= 30, "{good}");
    last.refused(429, "rate_limited");
}

#[tokio::test]
async fn registrations_are_limited_too() {
    let app = App::with(ON).await;
    let (began, mut taken) = (Instant::now(), 0);
    app.registered("susan").await;
    let refused = loop {
        taken += 1;
        let reply = app.visitor().post("/api/register", json!({})).await;
        if reply.status != 422 {
            break reply;
        }
        assert!(taken < 20 + regained(began.elapsed(), 3), "{taken}");
    };
    assert!(taken >= 20, "{taken}");
    refused.refused(429, "rate_limited");
}

#[tokio::test]
async fn buckets_that_have_refilled_are_purged() {
    let app = App::with(ON).await;
    try_login(&app.visitor(), "192.0.2.1", "nobody", "wrong-Password-9")
        .await
        .expect(401);
    assert_eq!(app.count("select count(*) from rate_limits").await, 4);
    app.sql("update rate_limits set full_at = now() - interval '1 second'")
        .await;
    let sibling = app.sibling(ON).await;
    crate::support::wait_until("they are gone", async || {
        sibling.count("select count(*) from rate_limits").await == 0
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_goes_back_locks_nobody_out() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let stranger = app.visitor();
    let fail = async || {
        try_login(&stranger, "192.0.2.1", "susan", "wrong-Password-9")
            .await
            .expect(401);
    };
    fail().await;
    // As if the clock had gone back by a day: the buckets seem to be full again only tomorrow.
    app.sql("update rate_limits set full_at = full_at + interval '1 day' where whole < interval '1 year'")
        .await;
    fail().await;
    stranger.log_in("susan").await.expect(200);
}

#[tokio::test]
async fn a_full_queue_does_not_count_as_a_failed_login() {
    let app = App::with(&[ON, &["--hash-workers=1"]].concat()).await;
    let susan = app.logged_in("susan").await;
    let busy = app.full_hasher().await;
    let wrong = "wrong-Password-9";
    for n in 0..12 {
        let from = format!("192.0.2.{n}");
        let refused = try_login(&app.visitor(), &from, "susan", wrong).await;
        refused.refused(503, "overloaded");
        let proof = susan.post("/api/reauthenticate", json!({"password": wrong}));
        proof.await.refused(503, "overloaded");
    }
    busy.let_go().await;
    for n in 0..5 {
        let from = format!("192.0.2.{n}");
        let wrong = try_login(&app.visitor(), &from, "susan", wrong).await;
        wrong.refused(401, "invalid_credentials");
    }
    for _ in 0..5 {
        let proof = susan.post("/api/reauthenticate", json!({"password": wrong}));
        proof.await.refused(422, "validation_failed");
    }
}
