//! What is in a mail, and what cannot get into one.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::outbox::{add_users, forgot, reset, wait_until_empty};
use crate::support::process::TempDir;
use crate::support::smtp::{Options, Smtp};
use crate::support::{App, PASSWORD, field_codes, send, wait_until};

#[tokio::test]
async fn an_address_with_a_domain_beyond_ascii_gets_its_mail_anywhere() {
    for ascii_only in [false, true] {
        let options = Options {
            ascii_only,
            ..Options::default()
        };
        let smtp = Smtp::with(options).await;
        let app = App::with_mail(&smtp, &[]).await;
        let form =
            json!({"username": "susan", "email": "susan@müller.example", "password": PASSWORD});
        app.visitor().post("/api/register", form).await.expect(201);
        let mail = smtp.mail_to("susan@xn--mller-kva.example").await;
        assert_eq!(mail.header("To").unwrap(), "susan@xn--mller-kva.example");
        let form = json!({"token": mail.token()});
        app.visitor()
            .post("/api/email/verify", form)
            .await
            .expect(204);
    }
}

#[tokio::test]
async fn an_address_with_a_local_part_beyond_ascii_needs_smtputf8() {
    let form = json!({"username": "susan", "email": "müller@example.com", "password": PASSWORD});
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    app.visitor()
        .post("/api/register", form.clone())
        .await
        .expect(201);
    let mail = smtp.mail_to("müller@example.com").await;
    assert!(mail.link().contains("/verify#token="), "{}", mail.raw);

    let ascii_only = Options {
        ascii_only: true,
        ..Options::default()
    };
    let smtp = Smtp::with(ascii_only).await;
    let app = App::with_mail(&smtp, &[]).await;
    app.visitor().post("/api/register", form).await.expect(201);
    let failed = "select count(*) from security_events where kind = 'mail_failed'";
    wait_until("it is given up at once", async || {
        app.count(failed).await == 1
    })
    .await;
    wait_until_empty(&app).await;
    app.registered("miguel").await;
    smtp.mail_to("miguel@example.com").await;
    assert_eq!(smtp.mails().len(), 1);
}

/// The second part of F6.
#[tokio::test]
async fn a_browser_cannot_speak_through_a_notice() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &["--sign-in-notice=on"]).await;
    app.logged_in("susan").await;
    smtp.wait_for(1).await;
    let agents = [
        (
            "<b>evil.example</b> https://evil.example Firefox/140.0 (Windows NT 10.0)",
            "Browser: Firefox, Windows",
        ),
        ("evil.example", "Browser: unknown"),
        (
            "=?utf-8?q?evil=0D=0ABcc:?= {{ link }} evil",
            "Browser: unknown",
        ),
    ];
    for (n, (agent, shown)) in agents.iter().enumerate() {
        let login = app.visitor().request(Method::POST, "/api/login");
        let login = login.header("user-agent", *agent);
        send(login.json(&json!({"username": "susan", "password": PASSWORD})))
            .await
            .expect(200);
        let mail = smtp.wait_for(n + 2).await.remove(n + 1);
        assert!(mail.text().contains(shown), "{}", mail.text());
        for part in [&mail.raw, &mail.text(), &mail.html()] {
            assert!(!part.contains("evil") && !part.contains("Bcc"), "{part}");
        }
    }
}

#[tokio::test]
async fn a_locale_is_a_language_tag_or_refused() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    let form = |locale: &str| json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD, "locale": locale});
    for bad in ["de\r\nBcc: a@b.example", "de\n", "../de", "{{ link }}", "d"] {
        let refused = app
            .visitor()
            .post("/api/register", form(bad))
            .await
            .expect(422);
        assert_eq!(field_codes(&refused.body), ["locale: invalid"], "{bad}");
    }
    app.visitor()
        .post("/api/register", form("de-AT"))
        .await
        .expect(201);
    let mail = smtp.mail_to("susan@example.com").await;
    assert!(
        mail.html().contains("<html lang=\"de\">"),
        "{}",
        mail.html()
    );
    assert_eq!(smtp.mails().len(), 1);
}

#[tokio::test]
async fn the_language_is_that_of_the_account_or_of_the_browser() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[]).await;
    add_users(&app, 2).await;
    app.sql("update users set locale = 'de' where username = 'user1'")
        .await;
    for (user, header, lang) in [
        (1, "en", "de"),
        (2, "de-CH, en;q=0.5", "de"),
        (2, "x\"y, fr", "en"),
    ] {
        let address = format!("user{user}@example.com");
        let before = smtp.mails().len();
        let asked = app.visitor().request(Method::POST, "/api/password/forgot");
        let asked = asked.header("accept-language", header);
        send(asked.json(&json!({"email": address})))
            .await
            .expect(202);
        let mail = smtp.wait_for(before + 1).await.remove(before);
        let html = mail.html();
        assert!(
            html.contains(&format!("<html lang=\"{lang}\">")),
            "{header} {html}"
        );
    }
}

#[tokio::test]
async fn a_name_with_any_characters_stays_a_name() {
    let smtp = Smtp::start().await;
    for name in [
        "Käse & \"Brot\" <b>bold</b>",
        "a@b.example, Bcc: c@d.example",
        "名前 \u{202e} 😀 {{ link }}",
        "\\\"; <noreply@evil.example>",
    ] {
        let before = smtp.mails().len();
        let app = App::with_mail(&smtp, &[&format!("--app-name={name}")]).await;
        add_users(&app, 1).await;
        forgot(&app.visitor(), "user1@example.com").await;
        let mail = smtp.wait_for(before + 1).await.remove(before);
        assert_eq!(mail.from, "noreply@localhost");
        assert_eq!(mail.to, ["user1@example.com"]);
        assert_eq!(mail.header("Bcc"), None);
        let from = mail.header("From").unwrap();
        assert!(from.ends_with(" <noreply@localhost>"), "{from}");
        let subject = mail.header("Subject").unwrap();
        assert_eq!(subject, format!("Reset your password for {name}"));
        assert!(mail.text().contains(name), "{}", mail.text());
        assert!(!mail.html().contains("<b>"), "{}", mail.html());
        reset(&app, &mail).await.expect(204);
        wait_until_empty(&app).await;
    }
}

/// F6.
#[tokio::test]
async fn no_header_changes_where_a_link_leads() {
    let smtp = Smtp::start().await;
    let flags = [
        "--public-url=https://login.example",
        "--app-url=https://app.example",
        "--trusted-origins=https://app.example",
        "--trusted-proxies=127.0.0.1",
        "--pages=reset=/app?view=reset",
    ];
    let app = App::with_mail(&smtp, &flags).await;
    add_users(&app, 1).await;
    let headers = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-original-url", "https://evil.example/"),
        ("referer", "https://app.example/evil.example"),
    ];
    let mut asked = app.visitor().request(Method::POST, "/api/password/forgot");
    for (name, value) in headers {
        asked = asked.header(name, value);
    }
    send(asked.json(&json!({"email": "user1@example.com"})))
        .await
        .expect(202);
    let mail = smtp.mail_to("user1@example.com").await;
    let link = mail.link();
    let (page, token) = link.split_once("#token=").unwrap();
    assert_eq!(
        (page, token.len()),
        ("https://app.example/app?view=reset", 64)
    );
    assert!(!mail.raw.contains("evil"), "{}", mail.raw);
}

/// A folder with these files.
fn templates(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new();
    for (name, text) in files {
        std::fs::write(folder.0.join(name), text).unwrap();
    }
    folder
}

#[tokio::test]
async fn a_folder_replaces_a_subject_and_adds_a_language() {
    let folder = templates(&[
        ("reset_password.en.subject", "Your {{ app_name }} key\n"),
        ("reset_password.fr.subject", "Nouveau mot de passe\n"),
        (
            "reset_password.fr.txt",
            "Bonjour,\n\nChoisir :\n{{ link }}\n",
        ),
    ]);
    let smtp = Smtp::start().await;
    let flag = format!("--mail-templates={}", folder.0.display());
    let app = App::with_mail(&smtp, &[&flag, "--app-name=Notes"]).await;
    add_users(&app, 2).await;
    app.sql("update users set locale = 'fr-CA' where username = 'user2'")
        .await;
    forgot(&app.visitor(), "user1@example.com").await;
    forgot(&app.visitor(), "user2@example.com").await;
    let english = smtp.mail_to("user1@example.com").await;
    assert_eq!(english.header("Subject").unwrap(), "Your Notes key");
    assert!(english.text().starts_with("Hello,"), "{}", english.text());
    let french = smtp.mail_to("user2@example.com").await;
    assert_eq!(french.header("Subject").unwrap(), "Nouveau mot de passe");
    assert!(french.text().starts_with("Bonjour,"), "{}", french.text());
    assert!(
        french.html().contains("<html lang=\"fr\">"),
        "{}",
        french.html()
    );
    reset(&app, &french).await.expect(204);
    tokio::time::timeout(Duration::from_secs(5), wait_until_empty(&app))
        .await
        .unwrap();
}
