//! Mail servers that are slow, silent, full of doubts, or not to be trusted.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::outbox::{add_users, forgot, make_due, reset, wait_for_row, wait_until_empty};
use crate::support::process::TempDir;
use crate::support::smtp::{Mode, Options, Smtp, Tls};
use crate::support::{App, Visitor, wait_until};

/// Waits for the event that a mail failed.
async fn mail_failed(visitor: &Visitor) -> Value {
    let event = async || {
        let page = visitor.get("/api/me/events").await.expect(200).body;
        let events = page["events"].as_array().unwrap().clone();
        events
            .into_iter()
            .find(|event| event["kind"] == "mail_failed")
    };
    wait_until("a mail_failed event", async || event().await.is_some()).await;
    event().await.unwrap()
}

/// A server with users 1 and 2, that sends its mails to this URL.
async fn with_url(url: &str) -> App {
    let app = App::with(&[&format!("--smtp-url={url}"), "--sign-in-notice=off"]).await;
    add_users(&app, 2).await;
    app
}

/// The first mail is not given up, and says why it waits.
async fn waits_for(app: &App, why: &str) {
    forgot(&app.visitor(), "user1@example.com").await;
    let row = format!("tries = 1 and claimed_until is null and last_error ilike '%{why}%'");
    wait_for_row(app, &row).await;
}

#[tokio::test]
async fn a_slow_server_gets_its_mails() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 8).await;
    smtp.set(Mode::Slow(Duration::from_millis(300)));
    let began = Instant::now();
    for n in 1..=8 {
        forgot(&app.visitor(), &format!("user{n}@example.com")).await;
    }
    let last = smtp.wait_for(8).await[7].at;
    // Each takes 1.8 s.
    assert!(last - began < Duration::from_secs(8), "one after the other");
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 8);
}

#[tokio::test]
async fn a_silent_server_holds_up_no_other_mail_and_is_tried_again() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 20).await;
    smtp.set(Mode::Silent);
    for n in 1..=7 {
        forgot(&app.visitor(), &format!("user{n}@example.com")).await;
    }
    wait_until("seven connections hang", async || smtp.connections() >= 7).await;
    smtp.set(Mode::Normal);
    let began = Instant::now();
    for n in 8..=20 {
        forgot(&app.visitor(), &format!("user{n}@example.com")).await;
    }
    smtp.wait_for(13).await;
    assert!(began.elapsed() < Duration::from_secs(5), "held up");
    assert_eq!(
        app.count("select count(*) from mails where tries = 1")
            .await,
        7
    );
    let gave_up = "select count(*) from mails where last_error = 'the mail server did not answer in time' \
                   and claimed_until is null and due_at > now()";
    wait_until("they time out", async || app.count(gave_up).await == 7).await;
    make_due(&app).await;
    smtp.wait_for(20).await;
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 20);
}

#[tokio::test]
async fn a_refused_mailbox_is_given_up_and_its_user_learns_of_it() {
    let smtp = Smtp::start().await;
    smtp.set(Mode::RefuseRecipient("susan@example.com".to_owned()));
    let app = App::with_mail(&smtp, &[]).await;
    let susan = app.logged_in("susan").await;
    app.registered("miguel").await;
    let event = mail_failed(&susan).await;
    assert_eq!(event["details"], json!({"mail": "verify_email"}));
    smtp.mail_to("miguel@example.com").await;
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 1);
    forgot(&app.visitor(), "susan@example.com").await;
    let failed = "select count(*) from security_events where details ->> 'mail' = 'reset_password'";
    wait_until("the second is given up", async || {
        app.count(failed).await == 1
    })
    .await;
}

#[tokio::test]
async fn a_greylisted_mail_is_tried_again() {
    let smtp = Smtp::start().await;
    smtp.set(Mode::Greylist);
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    waits_for(&app, "451 4.7.1 Try again later").await;
    let said_once = "last_error not like '%Try again later%Try again later%'";
    wait_for_row(&app, said_once).await;
    smtp.set(Mode::Normal);
    make_due(&app).await;
    let mail = smtp.mail_to("user1@example.com").await;
    reset(&app, &mail).await.expect(204);
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_of_a_mail_costs_nothing() {
    let smtp = Smtp::start().await;
    smtp.set(Mode::DropMidData(1));
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    waits_for(&app, "").await;
    assert!(smtp.mails().is_empty());
    make_due(&app).await;
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 1);
}

#[tokio::test]
async fn what_only_the_operator_can_mend_loses_no_mail() {
    let smtp = Smtp::start().await;
    smtp.set(Mode::RefuseSender);
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    waits_for(&app, "Sender address rejected").await;
    smtp.set(Mode::Normal);
    make_due(&app).await;
    smtp.mail_to("user1@example.com").await;
}

#[tokio::test]
async fn a_refused_login_loses_no_mail() {
    let login = Some(("latchkey", "p@ss word"));
    let options = || Options {
        login,
        ..Options::default()
    };
    let smtp = Smtp::with(options()).await;
    smtp.set(Mode::RefuseLogin);
    let right = format!("smtp://latchkey:p%40ss%20word@127.0.0.1:{}", smtp.port);
    let app = with_url(&right).await;
    waits_for(&app, "535").await;
    assert!(smtp.mails().is_empty());
    smtp.set(Mode::Normal);
    make_due(&app).await;
    smtp.mail_to("user1@example.com").await;

    let strict = Smtp::with(options()).await;
    let app = with_url(&format!("smtp://127.0.0.1:{}", strict.port)).await;
    waits_for(&app, "530").await;
    let secret = "last_error like '%p@ss%'";
    assert_eq!(
        app.count(&format!("select count(*) from mails where {secret}"))
            .await,
        0
    );
}

#[tokio::test]
async fn tls_needs_a_certificate_of_the_chosen_authority() {
    let folder = TempDir::new();
    let ca = folder.0.join("ca.pem");
    std::fs::write(&ca, Smtp::ca_pem()).unwrap();
    let other = folder.0.join("other.pem");
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&other, stranger.cert.pem()).unwrap();
    let (ca, other) = (ca.display(), other.display());
    let login = Some(("latchkey", "secret"));
    for (tls, scheme, query) in [
        (Tls::Implicit, "smtps", ""),
        (Tls::StartTls, "smtp", "tls=required&"),
    ] {
        let smtp = Smtp::with(Options {
            tls,
            login,
            ..Options::default()
        })
        .await;
        let server = format!("{scheme}://latchkey:secret@localhost:{}", smtp.port);
        let trusting = with_url(&format!("{server}?{query}ca={ca}")).await;
        forgot(&trusting.visitor(), "user1@example.com").await;
        let mail = smtp.mail_to("user1@example.com").await;
        reset(&trusting, &mail).await.expect(204);
        wait_until_empty(&trusting).await;

        for query in [query.trim_end_matches('&'), &format!("{query}ca={other}")] {
            let wary = with_url(&format!("{server}?{query}")).await;
            waits_for(&wary, "certificate").await;
        }
        assert_eq!(smtp.mails().len(), 2, "the reset and its notice");
    }
}

#[tokio::test]
async fn nothing_is_sent_in_clear_where_tls_is_required() {
    let smtp = Smtp::start().await;
    let app = with_url(&format!("smtp://localhost:{}?tls=required", smtp.port)).await;
    waits_for(&app, "STARTTLS").await;
    make_due(&app).await;
    wait_for_row(&app, "tries = 2 and claimed_until is null").await;
    assert!(smtp.mails().is_empty() && smtp.connections() >= 2);

    let encrypted = Smtp::with(Options {
        tls: Tls::StartTls,
        ..Options::default()
    })
    .await;
    let app = with_url(&format!("smtp://localhost:{}", encrypted.port)).await;
    waits_for(&app, "530").await;
}

#[tokio::test]
async fn opportunistic_tls_uses_what_there_is() {
    let folder = TempDir::new();
    let ca = folder.0.join("ca.pem");
    std::fs::write(&ca, Smtp::ca_pem()).unwrap();
    for tls in [Tls::None, Tls::StartTls] {
        let smtp = Smtp::with(Options {
            tls,
            ..Options::default()
        })
        .await;
        let query = format!("tls=opportunistic&ca={}", ca.display());
        let app = with_url(&format!("smtp://localhost:{}?{query}", smtp.port)).await;
        forgot(&app.visitor(), "user1@example.com").await;
        smtp.mail_to("user1@example.com").await;
    }
}

#[tokio::test]
async fn after_a_day_a_mail_is_given_up_and_its_user_learns_of_it() {
    let smtp = Smtp::start().await;
    smtp.set(Mode::Greylist);
    let app = App::with_mail(&smtp, &[]).await;
    let susan = app.logged_in("susan").await;
    wait_for_row(&app, "tries = 1 and claimed_until is null").await;
    // Its link would be newer than the mail.
    app.sql("delete from tokens").await;
    app.sql("update mails set created_at = now() - interval '23 hours 59 minutes', due_at = now()")
        .await;
    wait_for_row(&app, "tries = 2 and claimed_until is null").await;
    app.sql("delete from tokens").await;
    app.sql("update mails set created_at = now() - interval '24 hours 1 minute', due_at = now()")
        .await;
    let event = mail_failed(&susan).await;
    assert_eq!(event["details"], json!({"mail": "verify_email"}));
    wait_until_empty(&app).await;
    assert!(smtp.mails().is_empty());
}
