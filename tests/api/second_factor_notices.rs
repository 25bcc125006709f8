//! Mails that tell users what happened to their second factor.

use reqwest::Method;
use serde_json::json;

use crate::account_life::{not_me, susan};
use crate::outbox::{make_due, wait_for_row, wait_until_empty};
use crate::recovery::with_mail;
use crate::second_factor::{Authenticator, enrol, halfway, protected, show, show_recovery};
use crate::support::smtp::{Mode, Received, Smtp};
use crate::support::{PASSWORD, Visitor, send};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// The newest of so many mails, which must be a notice to Susan of this.
async fn notice(smtp: &Smtp, count: usize, subject: &str) -> Received {
    let mail = smtp.wait_for(count).await.remove(count - 1);
    assert_eq!(mail.to, ["susan@example.com"]);
    assert!(
        mail.header("subject").unwrap().contains(subject),
        "{}",
        mail.raw
    );
    assert!(mail.link().contains("/not-me#token="), "{}", mail.link());
    mail
}

/// F15.
#[tokio::test]
async fn every_change_of_the_second_factor_is_told() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    let app_of = enrol(&susan).await;
    let told = notice(&smtp, 2, "An authenticator app was set up").await;
    assert!(!told.raw.contains(&app_of.secret));

    let asked = susan.request(Method::POST, "/api/recovery-codes");
    let asked = asked.header("user-agent", FIREFOX).json(&json!({}));
    let codes = send(asked).await.expect(201).body;
    let told = notice(&smtp, 3, "New recovery codes").await;
    assert!(
        told.text().contains("Browser: Firefox, Linux\n"),
        "{}",
        told.text()
    );
    assert!(!told.raw.contains("Gecko"));
    assert!(
        !told
            .raw
            .contains(codes["recovery_codes"][0].as_str().unwrap())
    );

    susan.delete("/api/totp").await.expect(200);
    notice(&smtp, 4, "Two-factor login is off").await;

    enrol(&susan).await;
    notice(&smtp, 5, "An authenticator app was set up").await;
    susan.delete("/api/second-factor").await.expect(200);
    notice(&smtp, 6, "Two-factor login is off").await;
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 6);
}

/// The last part of F15: the address is the one that was valid before.
#[tokio::test]
async fn a_notice_goes_to_the_address_of_the_change_even_if_it_is_sent_later() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    app.sql(
        "create function later() returns trigger language plpgsql as \
             $$ begin new.due_at := now() + interval '1 hour'; return new; end $$; \
             create trigger later before insert on mails for each row execute function later()",
    )
    .await;
    enrol(&susan).await;
    app.sql("update users set email = 'new@example.com'").await;
    make_due(&app).await;
    notice(&smtp, 2, "An authenticator app was set up").await;
}

/// G8.
#[tokio::test]
async fn the_use_of_a_recovery_code_is_told_however_it_is_used() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    let Authenticator { recovery_codes, .. } = enrol(&susan).await;
    smtp.wait_for(2).await;

    let browser = halfway(&app, "susan").await;
    show_recovery(&browser, &recovery_codes[0])
        .await
        .expect(200);
    notice(&smtp, 3, "A recovery code was used").await;
    let again = halfway(&app, "susan").await;
    let used = show_recovery(&again, &recovery_codes[0]).await;
    used.refused(401, "invalid_code");

    let form = json!({"password": PASSWORD, "recovery_code": recovery_codes[1]});
    susan
        .post("/api/reauthenticate", form.clone())
        .await
        .expect(200);
    notice(&smtp, 4, "A recovery code was used").await;
    susan.post("/api/reauthenticate", form).await.expect(422);
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 4, "a code that is used already is none");
}

#[tokio::test]
async fn a_totp_code_needs_no_notice() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    let app_of = enrol(&susan).await;
    let browser = halfway(&app, "susan").await;
    let code = app_of.unused_code(&app).await;
    show(&browser, &code).await.expect(200);
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 2);
}

#[tokio::test]
async fn nobody_can_have_a_mailbox_flooded_that_they_have_not_proven() {
    let (app, smtp) = with_mail(&["--rate-limits=on"]).await;
    let (susan, _) = protected(&app, "susan").await;
    for _ in 0..8 {
        let renewed = susan.post("/api/recovery-codes", json!({})).await;
        renewed.expect(201);
    }
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 5, "with that of the registration");
}

/// Gives this many wrong codes.
async fn err(browser: &Visitor, app_of: &Authenticator, times: usize) {
    for _ in 0..times {
        let wrong = show(browser, &app_of.wrong_code()).await;
        wrong.refused(401, "invalid_code");
    }
}

const WARNINGS: &str = "select count(*) from mails where kind = 'second_factor_failed'";

#[tokio::test]
async fn three_wrong_codes_are_told_when_the_login_is_over() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    let app_of = enrol(&susan).await;
    smtp.wait_for(2).await;
    let browser = halfway(&app, "susan").await;
    err(&browser, &app_of, 2).await;
    assert_eq!(app.count(WARNINGS).await, 0);
    err(&browser, &app_of, 1).await;
    wait_for_row(
        &app,
        "kind = 'second_factor_failed' and due_at = (select expires_at from login_steps)",
    )
    .await;
    // Whoever gives up does not keep the user from hearing of it.
    browser.delete("/api/login/step").await.expect(204);
    make_due(&app).await;
    let told = notice(&smtp, 3, "Wrong codes").await;
    assert!(told.text().contains("the password"), "{}", told.text());

    not_me(&app, &told.token()).await.expect(204);
    assert!(!susan.is_logged_in().await);
    let void = app.visitor().log_in("susan").await;
    void.refused(401, "invalid_credentials");
}

#[tokio::test]
async fn wrong_codes_before_a_right_one_are_not_told() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    let app_of = enrol(&susan).await;
    smtp.wait_for(2).await;
    let (browser, other) = (halfway(&app, "susan").await, halfway(&app, "susan").await);
    err(&browser, &app_of, 4).await;
    err(&other, &app_of, 3).await;
    assert_eq!(app.count(WARNINGS).await, 2);
    let code = app_of.unused_code(&app).await;
    show(&browser, &code).await.expect(200);
    assert_eq!(app.count(WARNINGS).await, 1, "that of the other login");
    make_due(&app).await;
    notice(&smtp, 3, "Wrong codes").await;
}

#[tokio::test]
async fn five_wrong_codes_are_told_at_once_and_once_a_day() {
    let (app, smtp) = with_mail(&["--rate-limits=on"]).await;
    let susan = susan(&app, &smtp).await;
    let app_of = enrol(&susan).await;
    smtp.wait_for(2).await;
    let use_up = async || {
        // What is limited here is how often users hear of it, not how often somebody may try.
        app.sql("delete from rate_limits where each < interval '10 hours'")
            .await;
        let browser = halfway(&app, "susan").await;
        err(&browser, &app_of, 5).await;
    };
    use_up().await;
    notice(&smtp, 3, "Wrong codes").await;
    wait_until_empty(&app).await;
    use_up().await;
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 3, "once a day");

    app.sql("delete from rate_limits").await;
    use_up().await;
    notice(&smtp, 4, "Wrong codes").await;
}

/// The first attempt to send a warning takes the one of the day, so a second attempt must not ask again.
#[tokio::test]
async fn a_warning_that_the_mail_server_refuses_at_first_arrives() {
    let (app, smtp) = with_mail(&["--rate-limits=on"]).await;
    let susan = susan(&app, &smtp).await;
    let app_of = enrol(&susan).await;
    smtp.wait_for(2).await;
    smtp.set(Mode::Greylist);
    let browser = halfway(&app, "susan").await;
    err(&browser, &app_of, 5).await;
    wait_for_row(
        &app,
        "kind = 'second_factor_failed' and last_error is not null",
    )
    .await;
    smtp.set(Mode::Normal);
    make_due(&app).await;
    notice(&smtp, 3, "Wrong codes").await;
}
