//! Wrong codes are counted over all steps, instances and restarts, and only whoever knows the password can cause any.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::limits::{ON, codes, regained, try_login};
use crate::operator::told;
use crate::second_factor::{
    confirm, halfway, offer, opened, protected, show, show_recovery, step_now,
};
use crate::support::{App, PASSWORD, Reply, Visitor, at_once, send};

/// A new browser at an address where nobody of ours was, in which somebody gave the right password.
async fn elsewhere(app: &App, number: usize, name: &str) -> Visitor {
    let visitor = app.visitor();
    let from = format!("198.51.{number}.1");
    let asked = try_login(&visitor, &from, name, PASSWORD).await;
    asked.refused(401, "second_factor_required");
    visitor
}

fn evaluated(replies: &[Reply]) -> usize {
    for reply in replies {
        let (status, code) = (reply.status.as_u16(), reply.body["code"].as_str().unwrap());
        let expected = [
            (401, "invalid_code"),
            (410, "step_expired"),
            (429, "rate_limited"),
        ];
        assert!(expected.contains(&(status, code)), "{}", reply.body);
    }
    replies.iter().filter(|reply| reply.status == 401).count()
}

/// As after five minutes.
async fn five_minutes_pass(app: &App) {
    app.sql("update rate_limits set full_at = now() where whole < interval '1 day'")
        .await;
}

/// G4.
#[tokio::test]
async fn of_a_hundred_wrong_codes_at_once_five_are_evaluated() {
    let app = App::with(ON).await;
    let (_susan, ours) = protected(&app, "susan").await;
    let wrong = ours.wrong_codes(100);
    for round in 0..6 {
        let browser = elsewhere(&app, round, "susan").await;
        let all = at_once(100, async |n| show(&browser, &wrong[n]).await).await;
        let tried = evaluated(&all.replies);
        assert!((1..=5).contains(&tried), "round {round}: {tried}");
        app.sql("delete from rate_limits").await;
    }
}

/// G4.
#[tokio::test]
async fn over_fifty_steps_two_instances_and_a_restart_it_is_still_five() {
    let app = App::with(ON).await;
    let sibling = app.sibling(ON).await;
    let (_susan, ours) = protected(&app, "susan").await;
    let wrong = ours.wrong_codes(100);
    let mut browsers = Vec::new();
    for n in 0..50 {
        let at = if n % 2 == 0 { &app } else { &sibling };
        browsers.push(elsewhere(at, n, "susan").await);
    }
    let began = Instant::now();
    let all = at_once(100, async |n| {
        let at = if n % 2 == 0 { &sibling } else { &app };
        show(&browsers[n % 50].at(at.address), &wrong[n]).await
    });
    let all = all.await;
    let tried = evaluated(&all.replies);
    assert!((1..=5 + regained(all.took, 60)).contains(&tried), "{tried}");
    let fresh = elsewhere(&app, 60, "susan").await;
    let code = ours.unused_code(&app).await;
    let restarted = app.sibling(ON).await;
    drop(app);
    drop(sibling);
    for browser in [&browsers[0], &fresh] {
        let browser = browser.at(restarted.address);
        let refused = show(&browser, &code).await;
        if began.elapsed() < Duration::from_secs(50) {
            let refused = refused.refused(429, "rate_limited");
            let policy = refused.header("ratelimit-policy");
            assert_eq!(policy, "\"second-factor\";q=5;w=300");
            let wait: u32 = refused.header("retry-after").parse().unwrap();
            assert!(wait <= 60, "{wait}");
        }
    }
    // Recovery codes are counted with the others.
    let browser = fresh.at(restarted.address);
    let shown = show_recovery(&browser, &ours.recovery_codes[0]).await;
    if began.elapsed() < Duration::from_secs(50) {
        shown.refused(429, "rate_limited");
    }
    five_minutes_pass(&restarted).await;
    let code = ours.unused_code(&restarted).await;
    show(&browser, &code).await.expect(200);
}

/// G4. A right password in between forgives nothing.
#[tokio::test]
async fn never_more_than_fifty_wrong_codes_in_a_row() {
    let app = App::with(ON).await;
    let (susan, ours) = protected(&app, "susan").await;
    let (_miguel, miguels) = protected(&app, "miguel").await;
    let wrong = ours.wrong_code();
    let (mut tried, began) = (0, Instant::now());
    for n in 0..14 {
        let browser = elsewhere(&app, n, "susan").await;
        let all = [(); 5].map(|()| show(&browser, &wrong));
        let all = futures_util::future::join_all(all).await;
        tried += evaluated(&all);
        five_minutes_pass(&app).await;
    }
    assert!(
        (50..=50 + regained(began.elapsed(), 7200)).contains(&tried),
        "{tried}"
    );
    let code = ours.unused_code(&app).await;
    let browser = elsewhere(&app, 20, "susan").await;
    show(&browser, &code).await.refused(429, "rate_limited");
    // Neither does what somebody else gets right.
    let other = elsewhere(&app, 21, "miguel").await;
    let theirs = miguels.unused_code(&app).await;
    show(&other, &theirs).await.expect(200);
    let code = ours.unused_code(&app).await;
    show(&browser, &code).await.refused(429, "rate_limited");
    // The owner's own browser has its own count, and a good login there forgives.
    susan.log_out().await.expect(204);
    let asked = susan.log_in("susan").await;
    asked.refused(401, "second_factor_required");
    show(&susan, &code).await.expect(200);
    five_minutes_pass(&app).await;
    let code = ours.unused_code(&app).await;
    show(&browser, &code).await.expect(200);
}

/// G5.
#[tokio::test]
async fn whoever_has_no_password_spends_nobodys_tries() {
    let app = App::with(ON).await;
    let (susan, ours) = protected(&app, "susan").await;
    let wrong = ours.wrong_codes(30);
    for (n, code) in wrong.iter().enumerate() {
        let stranger = app.visitor();
        let from = format!("203.0.{n}.1");
        try_login(&stranger, &from, "susan", "wrong-Password-9").await;
        show(&stranger, code).await.refused(410, "step_expired");
    }
    // A stolen session is no password either.
    for code in &wrong[..7] {
        let form = json!({"password": "wrong-Password-9", "code": code});
        let proof = susan.post("/api/reauthenticate", form).await;
        assert!([422, 429].contains(&proof.status.as_u16()));
    }
    let used = "select count(*) from security_events where kind = 'second_factor_failed'";
    assert_eq!(app.count(used).await, 0);
    told(&app, &["users", "unlock", "susan"]);
    let browser = elsewhere(&app, 1, "susan").await;
    let code = ours.unused_code(&app).await;
    show(&browser, &code).await.expect(200);
}

/// G5.
#[tokio::test]
async fn a_known_browser_logs_in_while_the_tries_of_others_are_spent() {
    let app = App::with(ON).await;
    let (susan, ours) = protected(&app, "susan").await;
    for n in 0..2 {
        let thief = elsewhere(&app, n, "susan").await;
        let wrong = ours.wrong_codes(5);
        let all = at_once(5, async |n| show(&thief, &wrong[n]).await).await;
        assert_eq!(opened(&all.replies), 0, "{:?}", codes(&all.replies));
    }
    let code = ours.unused_code(&app).await;
    let browser = elsewhere(&app, 9, "susan").await;
    show(&browser, &code).await.refused(429, "rate_limited");
    susan.log_out().await.expect(204);
    let asked = susan.log_in("susan").await;
    asked.refused(401, "second_factor_required");
    show(&susan, &code).await.expect(200);
    // What the thief spent is not what an operator cannot give back.
    let asked = halfway(&app, "susan").await;
    told(&app, &["users", "unlock", "susan"]);
    let code = ours.unused_code(&app).await;
    let asked = asked.request(Method::POST, "/api/login/second-factor");
    send(asked.json(&json!({"code": code}))).await.expect(200);
}

/// G4. Whoever has the password and a session tries codes there, too.
#[tokio::test]
async fn codes_in_a_session_and_at_a_login_are_counted_together() {
    let app = App::with(ON).await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = elsewhere(&app, 1, "susan").await;
    let login = show(&browser, &ours.unused_code(&app).await).await;
    let session = login.expect(200).session_cookie();
    let wrong = ours.wrong_codes(25);
    let thief = app.visitor();
    let all = at_once(25, async |n| {
        let proof = thief.request(Method::POST, "/api/reauthenticate");
        let form = json!({"password": PASSWORD, "code": wrong[n]});
        send(proof.header("cookie", &session).json(&form)).await
    });
    let all = all.await;
    let tried = all.replies.iter().filter(|reply| reply.status == 422);
    let tried = tried.count();
    assert!((1..=5 + regained(all.took, 60)).contains(&tried), "{tried}");
    let code = ours.unused_code(&app).await;
    let other = elsewhere(&app, 2, "susan").await;
    show(&other, &code).await.refused(429, "rate_limited");
}

/// G7. Whoever sits at somebody else's session guesses no code of a secret that they cannot see.
#[tokio::test]
async fn wrong_codes_at_the_enrolment_are_counted_too() {
    let app = App::with(ON).await;
    let susan = app.logged_in("susan").await;
    let offered = offer(&susan).await;
    let (wrong, began) = (offered.wrong_codes(20), Instant::now());
    let mut tried = 0;
    for code in &wrong {
        let refused = confirm(&susan, code).await;
        tried += usize::from(refused.status == 422);
    }
    let most = 5 + regained(began.elapsed(), 60);
    assert!((5..=most).contains(&tried), "{tried}");
    let right = offered.code_of(step_now());
    confirm(&susan, &right).await.refused(429, "rate_limited");
}
