//! The step between the password and the session: its cookie, its life, and what ends it.

use reqwest::Method;
use serde_json::json;

use crate::operator::told;
use crate::second_factor::{enrol, halfway, opened, protected, show, show_recovery};
use crate::second_factor_cookie::{STEP, assert_cleared, pair, with_cookie};
use crate::support::{App, PASSWORD, Visitor, at_once, send};

#[tokio::test]
async fn a_step_says_what_it_waits_for_and_remembers_what_was_wanted() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = app.visitor();
    let form =
        json!({"username": "susan", "password": PASSWORD, "remember_me": true, "next": "/profile"});
    let asked = browser.post("/api/login", form).await;
    let asked = asked.refused(401, "second_factor_required").body;
    assert_eq!(asked["methods"], json!(["totp", "recovery_code"]));
    let step = browser.get("/api/login/step").await.expect(200).body;
    assert_eq!(step["kind"], "second_factor");
    assert_eq!(step["methods"], asked["methods"]);
    assert_eq!(step["tries_left"], 5);
    assert_eq!(step["expires_at"], asked["expires_at"]);
    let wrong = show(&browser, &ours.wrong_code()).await;
    assert_eq!(wrong.refused(401, "invalid_code").body["tries_left"], 4);
    let step = browser.get("/api/login/step").await.expect(200).body;
    assert_eq!(step["tries_left"], 4);
    let done = show(&browser, &ours.unused_code(&app).await).await;
    let done = done.expect(200);
    assert_eq!(done.body["redirect_to"], "/profile");
    assert_eq!(done.body["session"]["remembered"], true);
    assert_eq!(done.body["user"]["username"], "susan");
    let session = done.cookie("latchkey_session").unwrap();
    assert!(session.contains("Max-Age=2592000"), "{session}");
    for _ in 0..2 {
        let step = browser.get("/api/login/step").await;
        step.refused(410, "step_expired");
    }
}

/// G6.
#[tokio::test]
async fn a_step_works_only_with_its_cookie_once_and_in_time() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let code = ours.unused_code(&app).await;
    let (path, form) = ("/api/login/second-factor", json!({"code": code}));
    let asked = app.visitor().log_in("susan").await;
    let mut key = pair(&asked.cookie(STEP).unwrap());
    for cookie in [
        "latchkey_step=",
        "latchkey_step=x",
        "latchkey_step=\u{e9}",
        "other=1",
    ] {
        let shown = with_cookie(&app, cookie, Method::POST, path, form.clone()).await;
        shown.refused(410, "step_expired");
    }
    let hash = "select encode(key_hash, 'hex') from login_steps";
    let hash = app.sql(hash).await[0][0].clone().unwrap();
    assert!(!key.contains(&hash), "the key itself is stored");
    let last = if key.pop() == Some('0') { '1' } else { '0' };
    let other = format!("{key}{last}");
    let shown = with_cookie(&app, &other, Method::POST, path, form.clone()).await;
    shown.refused(410, "step_expired");
    let key = pair(&asked.cookie(STEP).unwrap());
    app.sql("update login_steps set expires_at = now()").await;
    for method in [Method::POST, Method::GET] {
        let path = if method == Method::GET {
            "/api/login/step"
        } else {
            path
        };
        let late = with_cookie(&app, &key, method, path, form.clone()).await;
        late.refused(410, "step_expired");
    }
    let life = "select extract(epoch from expires_at - created_at)::int from login_steps";
    app.sql("delete from login_steps").await;
    let browser = halfway(&app, "susan").await;
    assert_eq!(app.count(life).await, 600);
    show(&browser, &code).await.expect(200);
    let again = ours.unused_code(&app).await;
    show(&browser, &again).await.refused(410, "step_expired");
}

/// G6.
#[tokio::test]
async fn a_step_dies_with_whatever_ends_the_sessions_of_its_user() {
    let app = App::start().await;
    let change = json!({"current_password": PASSWORD, "new_password": "seven-Boats-under-9-moons"});
    for n in 0..7 {
        let name = format!("susan{n}");
        let (susan, ours) = protected(&app, &name).await;
        let browser = halfway(&app, &name).await;
        let bystander = halfway(&app, &name).await;
        match n {
            0 => drop(susan.post("/api/password/change", change.clone()).await.expect(200)),
            1 => drop(susan.delete("/api/sessions").await.expect(200)),
            2 => drop(told(&app, &["users", "disable", &name])),
            3 => drop(told(&app, &["users", "revoke-sessions", &name])),
            4 => drop(app.sql("update users set password_hash = password_hash || ' ' where username = 'susan4'").await),
            5 => {
                let form = json!({"end_other_sessions": false});
                let off = susan.request(Method::DELETE, "/api/totp").json(&form);
                send(off).await.expect(200);
            }
            _ => drop(app.sql("delete from users where username = 'susan6'").await),
        }
        for browser in [browser, bystander] {
            let code = ours.unused_code(&app).await;
            show(&browser, &code).await.refused(410, "step_expired");
            let code = &ours.recovery_codes[0];
            show_recovery(&browser, code)
                .await
                .refused(410, "step_expired");
            let step = browser.get("/api/login/step").await;
            step.refused(410, "step_expired");
            assert!(!browser.is_logged_in().await, "{n}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_step_is_over_and_a_login_replaces_one() {
    let app = App::start().await;
    let (_susan, susans) = protected(&app, "susan").await;
    let (_miguel, miguels) = protected(&app, "miguel").await;
    let browser = halfway(&app, "susan").await;
    let kept = browser.get("/api/login/step").await.expect(200).body;
    assert_eq!(kept["kind"], "second_factor");
    browser.delete("/api/login/step").await.expect(204);
    browser.delete("/api/login/step").await.expect(204);
    let open = "select count(*) from login_steps where tries_left > 0";
    assert_eq!(app.count(open).await, 0);
    let asked = browser.log_in("susan").await;
    asked.refused(401, "second_factor_required");
    let asked = browser.log_in("miguel").await;
    asked.refused(401, "second_factor_required");
    let code = susans.unused_code(&app).await;
    show(&browser, &code).await.refused(401, "invalid_code");
    let code = miguels.unused_code(&app).await;
    let done = show(&browser, &code).await.expect(200);
    assert_eq!(done.body["user"]["username"], "miguel");
    // Somebody without a second factor logs in instead.
    let browser = halfway(&app, "susan").await;
    app.registered("david").await;
    let done = browser.log_in("david").await.expect(200);
    assert_cleared(&done, STEP);
    let step = browser.get("/api/login/step").await;
    step.refused(410, "step_expired");
}

/// Everybody has steps of their own: wrong codes in one take nothing from another, and five end one.
#[tokio::test]
async fn a_step_has_five_tries_however_many_come_at_once() {
    let app = App::start().await;
    let susan: Visitor = app.logged_in("susan").await;
    let ours = enrol(&susan).await;
    for round in 0..8 {
        let (browser, other) = (halfway(&app, "susan").await, halfway(&app, "susan").await);
        let wrong = ours.wrong_codes(100);
        let all = at_once(100, async |n| show(&browser, &wrong[n]).await).await;
        let tried = all.replies.iter().filter(|reply| reply.status == 401);
        assert_eq!(tried.count(), 5, "round {round}");
        assert_eq!(opened(&all.replies), 0);
        let code = ours.unused_code(&app).await;
        show(&browser, &code).await.refused(410, "step_expired");
        show(&other, &code).await.expect(200);
    }
}
