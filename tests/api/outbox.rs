//! Mails on their way through the outbox: when they are sent, by whom, and how often.

use std::time::Duration;

use chrono::DateTime;
use serde_json::json;
use uuid::Uuid;

use crate::operator::latchkey;
use crate::support::smtp::{Mode, Received, Smtp};
use crate::support::{App, PASSWORD, Reply, Visitor, at_once, send, wait_until};

pub const NEW_PASSWORD: &str = "seven-Boats-under-9-moons";

pub async fn forgot(visitor: &Visitor, address: &str) {
    let form = json!({"email": address});
    visitor.post("/api/password/forgot", form).await.expect(202);
}

/// Uses the link of a mail.
pub async fn reset(app: &App, mail: &Received) -> Reply {
    let form = json!({"token": mail.token(), "password": NEW_PASSWORD});
    app.visitor().post("/api/password/reset", form).await
}

/// Users `user1` and so on, who have a proven address.
pub async fn add_users(app: &App, count: usize) {
    app.sql(&format!(
        "insert into users (username, email, email_verified_at) \
         select 'user' || n, 'user' || n || '@example.com', now() from generate_series(1, {count}) n"
    ))
    .await;
}

/// Waits until this is true for a row of the outbox.
pub async fn wait_for_row(app: &App, condition: &str) {
    let found = format!("select count(*) from mails where {condition}");
    wait_until(condition, async || app.count(&found).await > 0).await;
}

pub async fn wait_until_empty(app: &App) {
    let empty = async || app.count("select count(*) from mails").await == 0;
    wait_until("the outbox is empty", empty).await;
}

pub async fn make_due(app: &App) {
    app.sql("update mails set due_at = now()").await;
}

#[tokio::test]
async fn a_mail_arrives_with_its_headers_and_a_link_in_both_parts() {
    let smtp = Smtp::start().await;
    let flags = [
        "--app-url=https://app.example",
        "--trusted-origins=https://app.example",
        "--app-name=Notes",
    ];
    let app = App::with_mail(&smtp, &flags).await;
    add_users(&app, 1).await;
    forgot(&app.visitor(), "USER1@example.com").await;
    let mail = smtp.mail_to("user1@example.com").await;
    assert_eq!(mail.from, "noreply@app.example");
    let header = |name| mail.header(name).unwrap();
    let from = header("From").replace('"', "");
    assert_eq!(from, "Notes <noreply@app.example>");
    assert_eq!(header("To"), "user1@example.com");
    assert_eq!(header("Subject"), "Reset your password for Notes");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("MIME-Version"), "1.0");
    let sent = DateTime::parse_from_rfc2822(&header("Date")).unwrap();
    assert!((chrono::Utc::now() - sent.to_utc()).num_seconds().abs() < 60);
    let id = mail.message_id();
    let id = id
        .strip_prefix('<')
        .unwrap()
        .strip_suffix("@app.example>")
        .unwrap();
    assert!(id.parse::<Uuid>().is_ok(), "{id}");
    let link = mail.link();
    assert!(
        link.starts_with("https://app.example/reset#token="),
        "{link}"
    );
    let html = mail.html();
    assert!(html.contains(&format!("<a href=\"{link}\"")), "{html}");
    wait_until_empty(&app).await;
    reset(&app, &mail).await.expect(204);
}

#[tokio::test]
async fn while_the_mail_server_is_down_a_mail_waits_longer_each_time() {
    let mut smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    smtp.stop().await;
    forgot(&app.visitor(), "user1@example.com").await;
    for (tries, wait) in [(1, 10), (2, 20), (3, 40)] {
        let waits = format!(
            "tries = {tries} and claimed_until is null and last_error ilike '%connection%' and \
             due_at - now() between interval '{wait} seconds' - interval '3 seconds' and interval '{wait} seconds'"
        );
        wait_for_row(&app, &waits).await;
        make_due(&app).await;
    }
    wait_for_row(&app, "tries = 4 and claimed_until is null").await;
    smtp.open().await;
    let retried = latchkey(&app, &["mail", "retry"], "");
    assert!(retried.status.success(), "{retried:?}");
    let mail = smtp.mail_to("user1@example.com").await;
    wait_until_empty(&app).await;
    reset(&app, &mail).await.expect(204);
}

#[tokio::test]
async fn a_repetition_is_the_same_mail_and_its_link_works() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    smtp.set(Mode::AcceptThenDrop(1));
    forgot(&app.visitor(), "user1@example.com").await;
    wait_for_row(&app, "last_error is not null").await;
    make_due(&app).await;
    let mails = smtp.wait_for(2).await;
    assert_eq!(mails[0].message_id(), mails[1].message_id());
    assert_eq!(mails[0].link(), mails[1].link());
    wait_until_empty(&app).await;
    reset(&app, &mails[0]).await.expect(204);
    reset(&app, &mails[1])
        .await
        .refused(410, "token_invalid_or_expired");
}

#[tokio::test]
async fn two_instances_send_a_hundred_mails_once_each() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    let url = format!("--smtp-url=smtp://127.0.0.1:{}", smtp.port);
    let sibling = app.sibling(&[&url]).await;
    add_users(&app, 100).await;
    smtp.set(Mode::Slow(Duration::from_millis(5)));
    let (here, there) = (app.visitor(), sibling.visitor());
    let asked = at_once(100, async |n| {
        let visitor = if n % 2 == 0 { &here } else { &there };
        let form = json!({"email": format!("user{}@example.com", n + 1)});
        visitor.post("/api/password/forgot", form).await
    });
    assert!(asked.await.replies.iter().all(|reply| reply.status == 202));
    let mails = smtp.wait_for(100).await;
    wait_until_empty(&app).await;
    let mut to: Vec<_> = mails.iter().map(|mail| mail.to[0].clone()).collect();
    to.sort();
    to.dedup();
    assert_eq!((to.len(), smtp.mails().len()), (100, 100));
    let most = smtp.most_at_once();
    assert!(most > 8 && most <= 16, "{most} connections at once");
}

#[tokio::test]
async fn an_instance_opens_eight_connections_at_most() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 60).await;
    smtp.set(Mode::Slow(Duration::from_millis(10)));
    app.sql(
        "insert into mails (id, kind, user_id, address) \
         select gen_random_uuid(), 'reset_password', id, email from users",
    )
    .await;
    smtp.wait_for(60).await;
    wait_until_empty(&app).await;
    assert_eq!((smtp.most_at_once(), smtp.mails().len()), (8, 60));
    let last = smtp.mails().iter().map(|mail| mail.connection).max();
    assert!(last < Some(30), "connection {last:?} for 60 mails");
}

#[tokio::test]
async fn a_claim_of_a_dead_instance_is_taken_over() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 2).await;
    app.sql(
        "insert into mails (id, kind, address, tries, claimed_until) \
         values (gen_random_uuid(), 'reset_password', 'user1@example.com', 1, now() + interval '1 minute')",
    )
    .await;
    forgot(&app.visitor(), "user2@example.com").await;
    smtp.mail_to("user2@example.com").await;
    wait_for_row(&app, "tries = 1").await;
    assert_eq!(smtp.mails().len(), 1, "somebody else is sending the other");
    app.sql("update mails set claimed_until = now() - interval '1 second'")
        .await;
    let mail = smtp.mail_to("user1@example.com").await;
    reset(&app, &mail).await.expect(204);
    wait_until_empty(&app).await;
}

#[tokio::test]
async fn a_server_that_stops_finishes_the_mails_under_way() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 8).await;
    smtp.set(Mode::Slow(Duration::from_millis(100)));
    for n in 1..=8 {
        forgot(&app.visitor(), &format!("user{n}@example.com")).await;
    }
    smtp.wait_for(1).await;
    let database = app.database.share();
    tokio::task::spawn_blocking(|| drop(app)).await.unwrap();
    assert_eq!(smtp.mails().len(), 8);
    let left = database.sql("select id from mails").await;
    assert!(left.is_empty(), "{left:?} would be sent again");
}

#[tokio::test]
async fn a_delivered_mail_is_removed_as_soon_as_the_database_is_back() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    smtp.set(Mode::Slow(Duration::from_millis(400)));
    forgot(&app.visitor(), "user1@example.com").await;
    smtp.wait_for(1).await;
    // Before the server has said that it took the mail.
    app.sql("begin; lock table mails in access exclusive mode; select pg_sleep(4); commit")
        .await;
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_of_a_newer_release_is_left_to_it() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    app.sql("insert into mails (id, kind, address) values (gen_random_uuid(), 'newer', 'user1@example.com')")
        .await;
    wait_for_row(&app, "kind = 'newer' and tries = 1").await;
    forgot(&app.visitor(), "user1@example.com").await;
    smtp.mail_to("user1@example.com").await;
    wait_for_row(&app, "kind = 'newer' and tries = 1").await;
}

/// F14.
#[tokio::test]
async fn a_hundred_strangers_fill_no_mailbox_and_lock_nobody_out() {
    let smtp = Smtp::start().await;
    let flags = ["--rate-limits=on", "--trusted-proxies=127.0.0.1"];
    let app = App::with_mail(&smtp, &flags).await;
    let susan = app.registered("susan").await;
    smtp.wait_for(1).await;
    let forgot_from = async |address: String| {
        let asked = app
            .visitor()
            .request(reqwest::Method::POST, "/api/password/forgot");
        let asked = asked.header("x-forwarded-for", address);
        send(asked.json(&json!({"email": "susan@example.com"}))).await
    };
    let mut first = None;
    for n in 1..=100 {
        let reply = forgot_from(format!("192.0.2.{n}")).await.expect(202);
        let first = first.get_or_insert_with(|| reply.body.clone());
        assert_eq!(&reply.body, first);
    }
    wait_until_empty(&app).await;
    let mut resets = smtp.mails();
    assert!((2..=5).contains(&resets.len()), "{} mails", resets.len());
    resets.remove(0);
    susan.log_in("susan").await.expect(200);
    let newest = resets.iter().max_by_key(|mail| mail.message_id()).unwrap();
    reset(&app, newest).await.expect(204);
    for _ in 0..20 {
        forgot_from("198.51.100.1".to_owned()).await.expect(202);
    }
    let last = forgot_from("198.51.100.1".to_owned()).await;
    last.refused(429, "rate_limited");
    let form = json!({"username": "susan", "password": NEW_PASSWORD});
    app.visitor().post("/api/login", form).await.expect(200);
    let old = json!({"username": "susan", "password": PASSWORD});
    app.visitor().post("/api/login", old).await.expect(401);
}
