//! Mails that tell users what happened to their account.

use serde_json::json;

use crate::operator::latchkey;
use crate::outbox::wait_until_empty;
use crate::recovery::{log_in_with, reset, token_in, with_mail};
use crate::support::smtp::Smtp;
use crate::support::{App, PASSWORD, Visitor};

/// A server that mails of sign-ins, as it does if there is a mail server and nothing else is set.
async fn with_notices(flags: &[&str]) -> (App, Smtp) {
    with_mail(&[&["--sign-in-notice=on"], flags].concat()).await
}

#[tokio::test]
async fn a_login_from_a_browser_that_is_new_to_the_user_is_told() {
    let (app, smtp) = with_notices(&[]).await;
    let susan = app.logged_in("susan").await;
    susan.log_out().await.expect(204);
    susan.log_in("susan").await.expect(200);
    wait_until_empty(&app).await;
    assert_eq!(
        smtp.mails().len(),
        1,
        "the first login and the known browser need no notice"
    );

    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let stranger = app.visitor();
    let form = json!({"username": "susan", "password": PASSWORD});
    let asked = stranger.request(reqwest::Method::POST, "/api/login");
    let asked = asked.header("user-agent", firefox).json(&form);
    crate::support::send(asked).await.expect(200);
    let mail = &smtp.wait_for(2).await[1];
    assert_eq!(mail.to, ["susan@example.com"]);
    assert!(mail.text().contains("Firefox, Linux"), "{}", mail.text());
    assert!(!mail.raw.contains("Gecko"));

    let not_me = json!({"token": mail.token()});
    app.visitor()
        .post("/api/account/not-me", not_me)
        .await
        .expect(204);
    assert!(!stranger.is_logged_in().await && !susan.is_logged_in().await);
}

#[tokio::test]
async fn sign_in_notices_stop_after_ten_a_day_and_can_be_switched_off() {
    let (app, smtp) = with_notices(&["--rate-limits=on"]).await;
    app.registered("susan").await;
    for login in 0..14 {
        app.visitor().log_in("susan").await.expect(200);
        if login % 4 == 3 {
            app.sql("delete from rate_limits where each < interval '10 minutes'")
                .await;
        }
    }
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 1 + 10);

    let (app, smtp) = with_mail(&[]).await;
    app.registered("susan").await;
    for _ in 0..3 {
        app.visitor().log_in("susan").await.expect(200);
    }
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 1);
}

/// Wrong passwords from one address until the account refuses strangers.
async fn use_up_the_tries(app: &App, name: &str) {
    for _ in 0..5 {
        let tried = log_in_with(app, name, "wrong-Lamp-42-river").await;
        tried.refused(401, "invalid_credentials");
    }
    let refused = log_in_with(app, name, PASSWORD).await;
    refused.refused(429, "rate_limited");
}

#[tokio::test]
async fn a_user_whose_tries_strangers_used_up_gets_a_way_in_once_a_day() {
    let (app, smtp) = with_notices(&["--rate-limits=on"]).await;
    app.registered("susan").await;
    smtp.wait_for(1).await;
    use_up_the_tries(&app, "susan").await;
    let token = token_in(&smtp, 1, "Wrong passwords").await;
    for _ in 0..3 {
        log_in_with(&app, "susan", PASSWORD)
            .await
            .refused(429, "rate_limited");
    }
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 2, "once a day");

    let new = "seven-Boats-under-9-moons";
    reset(&app.visitor(), &token, new).await.expect(204);
    log_in_with(&app, "susan", new).await.expect(200);
}

#[tokio::test]
async fn tries_at_a_name_that_nobody_has_tell_nobody() {
    let (app, smtp) = with_notices(&["--rate-limits=on"]).await;
    app.registered("susan").await;
    smtp.wait_for(1).await;
    use_up_the_tries(&app, "nobody@example.com").await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 1);
}

/// F15.
#[tokio::test]
async fn every_change_of_the_password_is_told() {
    let (app, smtp) = with_mail(&[]).await;
    let susan: Visitor = app.logged_in("susan").await;
    smtp.wait_for(1).await;
    let form = json!({"current_password": PASSWORD, "new_password": "seven-Boats-under-9-moons"});
    susan.post("/api/password/change", form).await.expect(200);
    let mails = smtp.wait_for(2).await;
    let done = latchkey(
        &app,
        &["users", "set-password", "susan"],
        "nine-Kites-over-31-roofs\n",
    );
    assert!(done.status.success());
    let by_operator = smtp.wait_for(3).await;
    for mail in [&mails[1], &by_operator[2]] {
        assert_eq!(mail.to, ["susan@example.com"]);
        let subject = mail.header("subject").unwrap();
        assert!(
            subject.contains("password") && subject.contains("changed"),
            "{subject}"
        );
        assert!(mail.link().contains("/not-me#token="));
    }
}

#[tokio::test]
async fn mails_are_in_the_language_of_the_user() {
    let (app, smtp) = with_mail(&[]).await;
    let register = async |name: &str, accept: &str, locale: serde_json::Value| {
        let form = json!({"username": name, "email": format!("{name}@example.com"),
                          "password": PASSWORD, "locale": locale});
        let asked = app
            .visitor()
            .request(reqwest::Method::POST, "/api/register");
        let asked = asked.header("accept-language", accept).json(&form);
        crate::support::send(asked).await.expect(201);
    };
    register("susan", "de-AT,de;q=0.9", json!(null)).await;
    register("miguel", "de", json!("en-GB")).await;
    register("chiara", "it", json!(null)).await;
    let mails = smtp.wait_for(3).await;
    let subject = |name: &str| {
        let to = format!("{name}@example.com");
        let mail = mails.iter().find(|mail| mail.to == [to.as_str()]).unwrap();
        mail.header("subject").unwrap()
    };
    assert!(
        subject("susan").starts_with("Bitte"),
        "{}",
        subject("susan")
    );
    assert!(subject("miguel").starts_with("Confirm"));
    assert!(subject("chiara").starts_with("Confirm"));

    // Who has none gets that of the first login.
    app.sql("update users set locale = null where username = 'chiara'")
        .await;
    let form = json!({"username": "chiara", "password": PASSWORD});
    for accept in ["de", "fr"] {
        let asked = app.visitor().request(reqwest::Method::POST, "/api/login");
        let asked = asked.header("accept-language", accept).json(&form);
        crate::support::send(asked).await.expect(200);
    }
    let locale = app
        .sql("select locale from users where username = 'chiara'")
        .await;
    assert_eq!(locale[0][0].as_deref(), Some("de"));
}
