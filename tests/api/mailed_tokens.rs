//! The tokens of mails: where they are kept, and which of them work.

use reqwest::Method;
use serde_json::json;

use crate::departure::dump;
use crate::operator::latchkey;
use crate::outbox::{add_users, forgot, make_due, reset, wait_for_row, wait_until_empty};
use crate::support::process::{Process, TempDir, command};
use crate::support::smtp::{Mode, Received, Smtp};
use crate::support::{App, PASSWORD, wait_until};

/// Everything in a page that a mail program would fetch.
fn loads_something(html: &str) -> bool {
    let html = html.to_lowercase();
    [
        "src=",
        "<img",
        "<link",
        "<script",
        "<style",
        "<iframe",
        "url(",
        "@import",
        "background=",
        "<base",
        "<form",
    ]
    .iter()
    .any(|what| html.contains(what))
}

/// Has every kind of mail sent. Returns them.
async fn every_kind(app: &App, smtp: &Smtp) -> Vec<Received> {
    let susan = app.logged_in("susan").await;
    app.visitor().log_in("susan").await.expect(200);
    smtp.wait_for(2).await;
    forgot(&app.visitor(), "susan@example.com").await;
    smtp.wait_for(3).await;
    app.registered("miguel").await;
    smtp.mail_to("miguel@example.com").await;
    for email in ["miguel@example.com", "new@example.com"] {
        let before = smtp.mails().len();
        let form = json!({"email": email});
        susan.post("/api/email/change", form).await.expect(202);
        smtp.wait_for(before + 1).await;
    }
    let form = json!({"token": smtp.mail_to("new@example.com").await.token()});
    susan
        .post("/api/email/change/confirm", form)
        .await
        .expect(204);
    let form = json!({"current_password": PASSWORD, "new_password": "seven-Boats-under-9-moons"});
    susan.post("/api/password/change", form).await.expect(200);
    let invited = latchkey(app, &["users", "invite", "ada", "ada@example.com"], "");
    assert!(invited.status.success(), "{invited:?}");
    for _ in 0..6 {
        let form = json!({"username": "miguel", "password": "wrong-Password-9"});
        app.visitor().post("/api/login", form).await;
    }
    let subjects = async || {
        let mails = smtp.mails();
        let mut all: Vec<_> = mails
            .iter()
            .map(|mail| mail.header("Subject").unwrap())
            .collect();
        all.sort();
        all.dedup();
        all
    };
    wait_until("nine kinds of mails", async || subjects().await.len() == 9).await;
    smtp.mails()
}

/// F2, and the third part of F6.
#[tokio::test]
async fn no_token_is_kept_anywhere_and_no_mail_loads_anything() {
    let smtp = Smtp::start().await;
    let flags = ["--sign-in-notice=on", "--rate-limits=on"];
    let app = App::with_mail(&smtp, &flags).await;
    let mails = every_kind(&app, &smtp).await;
    let dump = dump(&app).await;
    assert!(dump.contains("susan"), "the dump is empty");
    let mut tokens = 0;
    for mail in &mails {
        let html = mail.html();
        assert!(!loads_something(&html), "{html}");
        let links = html.matches("http").count();
        assert_eq!(links, html.matches(&mail.link()).count(), "{html}");
        assert!(mail.link().starts_with("http://localhost:8080/"));
        let Some((_, token)) = mail
            .link()
            .split_once("#token=")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
        else {
            continue;
        };
        assert!(token.len() == 64 && token.bytes().all(|c| c.is_ascii_hexdigit()));
        assert!(!dump.contains(&token), "a token is in the database");
        tokens += 1;
    }
    assert!(tokens >= 9, "{tokens} tokens in {} mails", mails.len());
}

/// F2, the log of the real binary.
#[tokio::test]
async fn the_log_holds_no_token() {
    let smtp = Smtp::start().await;
    let data = TempDir::new();
    let url = format!("smtp://127.0.0.1:{}", smtp.port);
    let mut process = Process::spawn(
        command(&data.0)
            .env("LATCHKEY_LOG", "trace")
            .env("LATCHKEY_SMTP_URL", &url),
    );
    let visitor = process.visitor();
    let form = json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD});
    visitor.post("/api/register", form).await.expect(201);
    let verify = smtp.wait_for(1).await.remove(0).token();
    visitor
        .post("/api/email/verify", json!({"token": verify}))
        .await
        .expect(204);
    forgot(&visitor, "susan@example.com").await;
    let reset = smtp.wait_for(2).await.remove(1).token();
    let form = json!({"token": reset, "password": "seven-Boats-under-9-moons"});
    visitor.post("/api/password/reset", form).await.expect(204);
    let not_me = smtp.wait_for(3).await.remove(2).token();
    visitor
        .post("/api/account/not-me", json!({"token": not_me}))
        .await
        .expect(204);
    let again = smtp.wait_for(4).await.remove(3).token();
    process.signal("TERM");
    process.wait();
    let log = process.output.lock().unwrap().clone();
    assert!(
        log.contains("mail sent") && log.contains("password_reset"),
        "{log}"
    );
    let server_log = std::fs::read_to_string(data.0.join("postgres.log")).unwrap();
    for token in [verify, reset, not_me, again] {
        assert!(
            !log.contains(&token) && !server_log.contains(&token),
            "the log holds a token"
        );
    }
}

#[tokio::test]
async fn a_used_link_is_not_revived_by_a_repetition() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    smtp.set(Mode::AcceptThenDrop(1));
    forgot(&app.visitor(), "user1@example.com").await;
    let mail = smtp.wait_for(1).await.remove(0);
    wait_for_row(&app, "last_error is not null").await;
    reset(&app, &mail).await.expect(204);
    make_due(&app).await;
    wait_until_empty(&app).await;
    let mails = smtp.wait_for(2).await;
    let subjects: Vec<_> = mails
        .iter()
        .map(|mail| mail.header("Subject").unwrap())
        .collect();
    assert_eq!(mails.len(), 2, "{subjects:?}");
    assert!(subjects[1].ends_with(" was changed"), "{subjects:?}");
    reset(&app, &mail)
        .await
        .refused(410, "token_invalid_or_expired");
}

#[tokio::test]
async fn a_used_not_me_link_is_not_revived_by_a_repetition() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    forgot(&app.visitor(), "user1@example.com").await;
    let mail = smtp.wait_for(1).await.remove(0);
    wait_until_empty(&app).await;
    smtp.set(Mode::AcceptThenDrop(1));
    reset(&app, &mail).await.expect(204);
    let notice = smtp.wait_for(2).await.remove(1);
    wait_for_row(&app, "last_error is not null").await;
    let form = json!({"token": notice.token()});
    let not_me = async || {
        app.visitor()
            .post("/api/account/not-me", form.clone())
            .await
    };
    not_me().await.expect(204);
    make_due(&app).await;
    smtp.wait_for(3).await;
    wait_until_empty(&app).await;
    let ids: Vec<_> = smtp.mails().iter().map(Received::message_id).collect();
    assert_eq!(
        ids.iter().filter(|id| **id == notice.message_id()).count(),
        1
    );
    not_me().await.refused(410, "token_invalid_or_expired");
}

/// A user who asked for two links: the older one waits to be sent, the newer one has arrived.
async fn an_older_link_waits() -> (App, Smtp, Received) {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 1).await;
    smtp.set(Mode::Greylist);
    forgot(&app.visitor(), "user1@example.com").await;
    wait_for_row(&app, "last_error is not null").await;
    smtp.set(Mode::Normal);
    forgot(&app.visitor(), "user1@example.com").await;
    let newest = smtp.wait_for(1).await.remove(0);
    (app, smtp, newest)
}

#[tokio::test]
async fn an_older_mail_that_comes_later_does_not_replace_the_newest_link() {
    let (app, smtp, newest) = an_older_link_waits().await;
    make_due(&app).await;
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 1, "a link that does not work was sent");
    reset(&app, &newest).await.expect(204);
}

#[tokio::test]
async fn a_new_password_voids_the_links_that_wait_to_be_sent() {
    let (app, smtp, newest) = an_older_link_waits().await;
    reset(&app, &newest).await.expect(204);
    make_due(&app).await;
    wait_until_empty(&app).await;
    let mails = smtp.wait_for(2).await;
    let subjects: Vec<_> = mails
        .iter()
        .map(|mail| mail.header("Subject").unwrap())
        .collect();
    assert_eq!(mails.len(), 2, "{subjects:?}");
    assert!(subjects[1].ends_with(" was changed"), "{subjects:?}");
}

/// What uses a link up, if it is posted.
const ROUTES: [&str; 4] = [
    "/api/password/reset",
    "/api/email/verify",
    "/api/email/change/confirm",
    "/api/account/not-me",
];

/// F7: a mail scanner opens every link, and so does a browser that loads ahead.
#[tokio::test]
async fn looking_at_a_link_changes_nothing() {
    let smtp = Smtp::start().await;
    let flags = ["--sign-in-notice=on", "--rate-limits=on"];
    let app = App::with_mail(&smtp, &flags).await;
    let mails = every_kind(&app, &smtp).await;
    wait_until_empty(&app).await;
    let all = "select t::text from tokens t union all select u::text from users u order by 1";
    let before = app.sql(all).await;
    assert!(before.len() >= 6, "{before:?}");
    let visitor = app.visitor();
    for mail in mails.iter().filter(|mail| mail.link().contains("#token=")) {
        let link = mail.link();
        let path = link.strip_prefix("http://localhost:8080").unwrap();
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let page = visitor.request(method.clone(), path).send().await.unwrap();
            let there = if method == Method::OPTIONS { 404 } else { 200 };
            assert_eq!(page.status(), there);
            for route in ROUTES {
                let target = format!("{route}?token={}", mail.token());
                let asked = visitor.request(method.clone(), &target).send().await;
                assert_eq!(asked.unwrap().status(), 405, "{method} {route}");
            }
        }
    }
    assert_eq!(app.sql(all).await, before);
}
