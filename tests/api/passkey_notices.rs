//! What users hear of their passkeys, what a not-me link takes back, and what a stranger's passkey is worth.

use serde_json::json;

use crate::account_life::not_me;
use crate::outbox::wait_until_empty;
use crate::passkeys::{list, remove};
use crate::recovery::{log_in_with, reset, token_in, with_mail};
use crate::support::PASSWORD;
use crate::support::authenticator::Authenticator;

/// F15.
#[tokio::test]
async fn a_passkey_that_comes_or_goes_is_told() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = app.logged_in("susan").await;
    smtp.wait_for(1).await;
    susan.add_passkey().await;
    let id = list(&susan).await["passkeys"][0]["id"].clone();
    smtp.wait_for(2).await;
    remove(&susan, &id).await.expect(200);
    let mails = smtp.wait_for(3).await;
    for (mail, subject) in mails[1..].iter().zip(["New passkey", "Passkey removed"]) {
        assert_eq!(mail.to, ["susan@example.com"]);
        assert!(
            mail.header("subject").unwrap().starts_with(subject),
            "{}",
            mail.raw
        );
        assert!(mail.link().contains("/not-me#token="));
    }
}

#[tokio::test]
async fn not_me_removes_the_passkey_that_the_notice_told_of_and_no_other() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = app.logged_in("susan").await;
    let mut own = susan.add_passkey().await;
    smtp.wait_for(2).await;
    let mut intruders = susan.add_passkey().await;
    let token = token_in(&smtp, 2, "New passkey").await;
    not_me(&app, &token).await.expect(204);
    assert!(!susan.is_logged_in().await);
    let refused = app.visitor().log_in_with_passkey(&mut intruders).await;
    refused.refused(401, "unknown_passkey");
    app.visitor()
        .log_in_with_passkey(&mut own)
        .await
        .expect(200);
    log_in_with(&app, "susan", PASSWORD)
        .await
        .refused(401, "invalid_credentials");
}

#[tokio::test]
async fn after_72_hours_not_me_leaves_the_passkey() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = app.logged_in("susan").await;
    smtp.wait_for(1).await;
    let mut device = susan.add_passkey().await;
    let token = token_in(&smtp, 1, "New passkey").await;
    wait_until_empty(&app).await;
    app.sql("update tokens set created_at = created_at - interval '72 hours 1 second'")
        .await;
    not_me(&app, &token).await.expect(204);
    assert!(!susan.is_logged_in().await);
    app.visitor()
        .log_in_with_passkey(&mut device)
        .await
        .expect(200);
}

#[tokio::test]
async fn not_me_leaves_no_second_factor_that_nobody_has() {
    let (app, smtp) = with_mail(&[]).await;
    let intruder = app.logged_in("susan").await;
    smtp.wait_for(1).await;
    intruder.add_passkey().await;
    let token = token_in(&smtp, 1, "New passkey").await;
    intruder
        .post("/api/second-factor", json!({}))
        .await
        .expect(200);
    smtp.wait_for(3).await;
    not_me(&app, &token).await.expect(204);
    let count = "select count(*) from users where second_factor_required";
    assert_eq!(app.count(count).await, 0);
    assert_eq!(app.count("select count(*) from recovery_codes").await, 0);
    wait_until_empty(&app).await;
    let mail = smtp.mails().pop().unwrap();
    let new = "seven-Boats-under-9-moons";
    reset(&app.visitor(), &mail.token(), new).await.expect(204);
    log_in_with(&app, "susan", new).await.expect(200);
}

/// F10.
#[tokio::test]
async fn the_passkey_of_whoever_registered_a_strangers_address_is_gone_after_its_owner_resets_the_password()
 {
    let (app, smtp) = with_mail(&[]).await;
    let squatter = app.logged_in("susan").await;
    let mut device = squatter.add_passkey().await;
    smtp.wait_for(2).await;
    let form = json!({"email": "susan@example.com"});
    app.visitor()
        .post("/api/password/forgot", form)
        .await
        .expect(202);
    let token = token_in(&smtp, 2, "").await;
    reset(&app.visitor(), &token, "seven-Boats-under-9-moons")
        .await
        .expect(204);
    let refused = app.visitor().log_in_with_passkey(&mut device).await;
    refused.refused(401, "unknown_passkey");

    // A verified owner keeps theirs: a reset must not strip a factor.
    let susan = app.visitor();
    let form = json!({"username": "susan", "password": "seven-Boats-under-9-moons"});
    susan.post("/api/login", form).await.expect(200);
    let mut device = susan.add_passkey().await;
    wait_until_empty(&app).await;
    let before = smtp.mails().len();
    let form = json!({"email": "susan@example.com"});
    app.visitor()
        .post("/api/password/forgot", form)
        .await
        .expect(202);
    let token = token_in(&smtp, before, "").await;
    reset(&app.visitor(), &token, "nine-Kites-over-31-roofs")
        .await
        .expect(204);
    app.visitor()
        .log_in_with_passkey(&mut device)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_session_that_ended_adds_no_passkey() {
    let (app, _smtp) = with_mail(&[]).await;
    let susan = app.logged_in("susan").await;
    let options = susan.passkey_options("registration").await;
    let (_, credential) = Authenticator::create(&options);
    app.sql("delete from sessions").await;
    let refused = susan.register_passkey(&credential).await;
    refused.refused(401, "not_authenticated");
    assert_eq!(app.count("select count(*) from passkeys").await, 0);
}
