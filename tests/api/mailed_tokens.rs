//! Where the tokens of mails are, and where they are not.

use serde_json::json;

use crate::operator::latchkey;
use crate::outbox::forgot;
use crate::support::process::{Process, TempDir, command};
use crate::support::smtp::{Received, Smtp};
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
    let tables = app
        .sql("select table_name from information_schema.tables where table_schema = 'public'")
        .await;
    let mut dump = String::new();
    for table in tables.iter().flatten().flatten() {
        let rows = app.sql(&format!("select t::text from {table} t")).await;
        dump.extend(rows.into_iter().flatten().flatten());
    }
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
