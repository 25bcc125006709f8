//! What "this was not me", a reset and the first proof of a mailbox do to a second factor.

use serde_json::json;

use crate::account_life::{not_me, susan};
use crate::outbox::forgot;
use crate::recovery::{log_in_with, reset, token_in, with_mail};
use crate::second_factor::{enrol, halfway, show, show_recovery};
use crate::support::smtp::{Mode, Smtp};
use crate::support::{App, PASSWORD, wait_until};

const NEW: &str = "seven-Boats-under-9-moons";

/// Sets another password by the link that follows after `seen` mails.
async fn choose_anew(app: &App, smtp: &Smtp, seen: usize) {
    let token = token_in(smtp, seen, "password").await;
    reset(&app.visitor(), &token, NEW).await.expect(204);
}

/// What is left of second factors in the database.
async fn rows(app: &App) -> i64 {
    app.count(
        "select (select count(*) from totp_secrets) + (select count(*) from recovery_sets) \
         + (select count(*) from recovery_codes) + (select count(*) from trusted_devices) \
         + (select count(*) from login_steps) + (select count(*) from users where second_factor_required)",
    )
    .await
}

#[tokio::test]
async fn an_app_that_somebody_else_set_up_goes_with_their_sessions() {
    let (app, smtp) = with_mail(&[]).await;
    let intruder = susan(&app, &smtp).await;
    let app_of = enrol(&intruder).await;
    let browser = halfway(&app, "susan").await;
    let code = app_of.unused_code(&app).await;
    let form = json!({"code": code, "trust_device": true});
    browser
        .post("/api/login/second-factor", form)
        .await
        .expect(200);
    halfway(&app, "susan").await;
    assert_eq!(rows(&app).await, 1 + 1 + 10 + 1 + 1 + 1);

    let token = token_in(&smtp, 1, "authenticator app").await;
    not_me(&app, &token).await.expect(204);
    assert!(!intruder.is_logged_in().await && !browser.is_logged_in().await);
    assert_eq!(rows(&app).await, 0);
    choose_anew(&app, &smtp, 2).await;
    let back = log_in_with(&app, "susan", NEW).await.expect(200);
    assert_eq!(back.body["session"]["factors"], 1);
}

/// F12.
#[tokio::test]
async fn a_factor_that_is_older_than_what_the_notice_told_stays() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    let app_of = enrol(&susan).await;
    smtp.wait_for(2).await;
    let form = json!({"current_password": PASSWORD, "new_password": NEW});
    susan.post("/api/password/change", form).await.expect(200);
    not_me(&app, &token_in(&smtp, 2, "changed").await)
        .await
        .expect(204);
    choose_anew(&app, &smtp, 3).await;

    let form = json!({"username": "susan", "password": NEW});
    let browser = app.visitor();
    let asked = browser.post("/api/login", form).await;
    asked.refused(401, "second_factor_required");
    let code = app_of.unused_code(&app).await;
    show(&browser, &code).await.expect(200);
}

/// F12: a stolen mailbox must not strip a factor that is older.
#[tokio::test]
async fn after_72_hours_a_notice_ends_sessions_and_removes_nothing() {
    for (age, left) in [("71 hours", 0), ("73 hours", 1)] {
        let (app, smtp) = with_mail(&[]).await;
        let susan = susan(&app, &smtp).await;
        enrol(&susan).await;
        let token = token_in(&smtp, 1, "authenticator app").await;
        let back = format!(
            "update tokens set created_at = created_at - interval '{age}'; \
             update totp_secrets set confirmed_at = confirmed_at - interval '{age}'; \
             update recovery_sets set created_at = created_at - interval '{age}'"
        );
        app.sql(&back).await;
        not_me(&app, &token).await.expect(204);
        assert!(!susan.is_logged_in().await);
        let secrets = app.count("select count(*) from totp_secrets").await;
        let on = app
            .count("select count(*) from users where second_factor_required")
            .await;
        assert_eq!((secrets, on), (left, left), "{age}");
    }
}

/// Whoever was in changed more than one thing, and the first notice is enough.
#[tokio::test]
async fn what_was_set_up_after_the_notice_goes_too() {
    let (app, smtp) = with_mail(&[]).await;
    let intruder = susan(&app, &smtp).await;
    let form = json!({"current_password": PASSWORD, "new_password": NEW});
    intruder
        .post("/api/password/change", form)
        .await
        .expect(200);
    let token = token_in(&smtp, 1, "changed").await;
    enrol(&intruder).await;
    smtp.wait_for(3).await;
    let passkey = |number: u8, at: &str| {
        format!(
            "insert into passkeys (user_id, credential_id, public_key, sign_count, backup_eligible, backed_up, rp_id, name, \
             created_at) select id, '\\x0{number}', '{{}}', 0, false, false, 'localhost', 'key {number}', {at} from users"
        )
    };
    app.sql(&passkey(1, "now() - interval '1 hour'")).await;
    app.sql(&passkey(2, "now()")).await;
    not_me(&app, &token).await.expect(204);
    let left = app.sql("select name from passkeys").await;
    assert_eq!(left, [[Some("key 1".to_owned())]], "an older one stays");
    let secrets = app.count("select count(*) from totp_secrets").await;
    assert_eq!(secrets, 0);
    // With the older passkey, logins still take two factors.
    let on = "select count(*) from users where second_factor_required";
    assert_eq!(app.count(on).await, 1);
}

#[tokio::test]
async fn new_recovery_codes_that_somebody_else_made_are_void_and_the_app_stays() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    enrol(&susan).await;
    smtp.wait_for(2).await;
    let made = susan
        .post("/api/recovery-codes", json!({}))
        .await
        .expect(201);
    let code = made.body["recovery_codes"][0].as_str().unwrap();
    not_me(&app, &token_in(&smtp, 2, "recovery codes").await)
        .await
        .expect(204);
    choose_anew(&app, &smtp, 3).await;
    let browser = app.visitor();
    let form = json!({"username": "susan", "password": NEW});
    let asked = browser.post("/api/login", form).await;
    let asked = asked.refused(401, "second_factor_required");
    assert_eq!(asked.body["methods"], json!(["totp"]));
    show_recovery(&browser, code)
        .await
        .refused(401, "invalid_code");
}

/// The link carries the time of the change, however often and by whomever its mail is sent.
#[tokio::test]
async fn a_notice_that_was_sent_again_takes_the_same_change_back() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    smtp.set(Mode::Greylist);
    enrol(&susan).await;
    crate::outbox::wait_for_row(&app, "last_error is not null").await;
    smtp.set(Mode::Normal);
    crate::outbox::make_due(&app).await;
    not_me(&app, &token_in(&smtp, 1, "authenticator app").await)
        .await
        .expect(204);
    assert_eq!(rows(&app).await, 0);
}

/// F4.
#[tokio::test]
async fn a_reset_keeps_the_second_factor_and_ends_trust_and_unfinished_logins() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    let app_of = enrol(&susan).await;
    smtp.wait_for(2).await;
    let trusted = halfway(&app, "susan").await;
    let form = json!({"code": app_of.unused_code(&app).await, "trust_device": true});
    trusted
        .post("/api/login/second-factor", form)
        .await
        .expect(200);
    let unfinished = halfway(&app, "susan").await;
    forgot(&app.visitor(), "susan@example.com").await;
    choose_anew(&app, &smtp, 2).await;

    let late = show(&unfinished, &app_of.unused_code(&app).await).await;
    late.refused(410, "step_expired");
    assert!(!trusted.is_logged_in().await);
    let form = json!({"username": "susan", "password": NEW});
    let asked = trusted.post("/api/login", form).await;
    asked.refused(401, "second_factor_required");
    show(&trusted, &app_of.unused_code(&app).await)
        .await
        .expect(200);
}

/// F10.
#[tokio::test]
async fn nothing_that_a_stranger_set_up_survives_the_first_proof_of_the_mailbox() {
    let (app, smtp) = with_mail(&[]).await;
    let stranger = app.logged_in("susan").await;
    let app_of = enrol(&stranger).await;
    let trusted = halfway(&app, "susan").await;
    let form = json!({"code": app_of.unused_code(&app).await, "trust_device": true});
    trusted
        .post("/api/login/second-factor", form)
        .await
        .expect(200);
    halfway(&app, "susan").await;
    smtp.wait_for(2).await;
    forgot(&app.visitor(), "susan@example.com").await;
    choose_anew(&app, &smtp, 2).await;

    assert_eq!(rows(&app).await, 0);
    assert!(!stranger.is_logged_in().await && !trusted.is_logged_in().await);
    let back = log_in_with(&app, "susan", NEW).await.expect(200);
    assert_eq!(back.body["session"]["methods"], json!(["password"]));
    wait_until("the loss of the second factor is told", async || {
        let subjects = smtp
            .mails()
            .into_iter()
            .filter_map(|mail| mail.header("subject"));
        subjects
            .into_iter()
            .any(|subject| subject.contains("Two-factor login is off"))
    })
    .await;
}
