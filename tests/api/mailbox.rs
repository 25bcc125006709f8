//! The mailbox page of development: what it shows, to whom, and the folder behind it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use reqwest::Method;
use serde_json::json;

use crate::outbox::forgot;
use crate::support::process::{Process, TempDir, command};
use crate::support::smtp::Smtp;
use crate::support::{App, Visitor, wait_until};

const PATH: &str = "/dev/mailbox";

/// The page, as somebody on this machine sees it.
async fn page(visitor: &Visitor) -> String {
    let response = visitor.request(Method::GET, PATH).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

async fn wait_for_mails(app: &App, count: usize) -> String {
    let visitor = app.visitor();
    let articles = async || page(&visitor).await.matches("<article").count();
    wait_until("the mails are there", async || articles().await == count).await;
    page(&visitor).await
}

#[tokio::test]
async fn it_shows_the_newest_mail_on_top_with_its_link() {
    let app = App::with(&["--app-name=Notes"]).await;
    let empty = page(&app.visitor()).await;
    assert!(empty.contains("There are no mails yet."), "{empty}");
    let susan = app.registered("susan").await;
    wait_for_mails(&app, 1).await;
    forgot(&susan, "susan@example.com").await;
    let html = wait_for_mails(&app, 2).await;
    let newest = html.find("id=\"mail-2\"").unwrap();
    assert!(newest < html.find("id=\"mail-1\"").unwrap(), "{html}");
    let newest = &html[newest..html.find("id=\"mail-1\"").unwrap()];
    assert!(
        newest.contains("<p class=\"meta\">To susan@example.com · 20"),
        "{html}"
    );
    let (_, link) = newest.split_once("<a href=\"").unwrap();
    let link = link.split('"').next().unwrap();
    let shown = format!("<a href=\"{link}\" rel=\"noreferrer\">{link}</a>");
    assert!(newest.contains(&shown), "{html}");
    let token = link.strip_prefix("http://localhost:8080/reset#token=");
    let form = json!({"token": token.unwrap(), "password": "seven-Boats-under-9-moons"});
    susan.post("/api/password/reset", form).await.expect(204);
}

#[tokio::test]
async fn it_runs_nothing_and_is_kept_nowhere() {
    let app = App::start().await;
    let asked = app.visitor().request(Method::GET, PATH).send().await;
    let response = asked.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(
        header("content-security-policy"),
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
}

#[tokio::test]
async fn nothing_in_a_mail_becomes_html() {
    let app = App::with(&["--app-name=<script>alert('x')</script> & \"co\""]).await;
    app.registered("susan").await;
    wait_for_mails(&app, 1).await;
    // Every field, written by somebody who chose the bytes.
    let evil = "Date: Thu, 26 Nov 2026 05:12:00 +0000\r\nTo: \"<i>\" <\"<b>\"@example.com>\r\n\
                Subject: <img src=x>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
                https://evil.example/\" onclick=\"x\r\njavascript:alert(1)\r\n</pre><h1>&amp;\r\n";
    fs::write(app.database.mail_folder().join("000007.eml"), evil).unwrap();
    let html = wait_for_mails(&app, 2).await;
    for shown in [
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;co&quot;",
        "&lt;img src=x&gt;",
        "href=\"https://evil.example/&quot; onclick=&quot;x\"",
        "\njavascript:alert(1)\n",
        "&lt;/pre&gt;&lt;h1&gt;&amp;amp;",
        "To &quot;&lt;b ",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    for raw in [
        "<script",
        "<img",
        "<b>",
        "<i>",
        "\" onclick=\"",
        "href=\"javascript",
    ] {
        assert!(!html.contains(raw), "{raw}: {html}");
    }
}

#[tokio::test]
async fn only_this_machine_under_its_own_name_sees_it() {
    let app = App::start().await;
    let visitor = app.visitor();
    let port = app.address.port();
    for host in ["localhost", "127.0.0.1:8080", "[::1]", "app.localhost"] {
        let asked = visitor.request(Method::GET, PATH).header("host", host);
        assert_eq!(asked.send().await.unwrap().status(), 200, "{host}");
    }
    let rebound = format!("evil.example:{port}");
    for (name, value) in [
        ("host", &*rebound),
        ("host", "127.0.0.1.nip.io"),
        ("host", "localhost.evil.example"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-for", ""),
        ("forwarded", "for=127.0.0.1"),
    ] {
        let asked = visitor.request(Method::GET, PATH).header(name, value);
        let reply = crate::support::send(asked).await;
        reply.refused(404, "not_found");
    }
}

#[tokio::test]
async fn it_is_not_there_where_mails_are_sent_or_others_share_the_server() {
    let smtp = Smtp::start().await;
    let smtp_url = format!("--smtp-url=smtp://127.0.0.1:{}", smtp.port);
    let shared = "--database-url=postgres://latchkey@db.example/latchkey";
    for (arguments, there) in [
        (&[&*smtp_url][..], false),
        (&[shared, "--public-url=https://login.example"], false),
        (&[shared, "--public-url=http://192.0.2.1:8080"], false),
        (&[shared], true),
        (&["--public-url=https://login.example"], false),
        (&["--public-url=http://[::1]:8080"], true),
    ] {
        let app = App::with(arguments).await;
        let reply = app
            .visitor()
            .request(Method::GET, PATH)
            .send()
            .await
            .unwrap();
        let status = if there { 200 } else { 404 };
        assert_eq!(reply.status(), status, "{arguments:?}");
    }
}

#[tokio::test]
async fn the_greeting_names_it_only_where_it_is() {
    let data = TempDir::new();
    let kept = Process::start(&data.0);
    let line = format!("Mailbox     http://localhost:{}{PATH}", kept.address.port());
    wait_until("it is greeted with", async || {
        kept.output.lock().unwrap().contains(&line)
    })
    .await;
    drop(kept);
    let smtp = Smtp::start().await;
    let smtp_url = format!("smtp://127.0.0.1:{}", smtp.port);
    let sent = Process::spawn(command(&data.0).env("LATCHKEY_SMTP_URL", smtp_url));
    let told = async || sent.output.lock().unwrap().clone();
    wait_until("it has greeted", async || told().await.contains("Ctrl-C")).await;
    assert!(!told().await.contains("Mailbox"), "{}", told().await);
}

#[tokio::test]
async fn only_its_owner_can_read_the_folder_and_it_keeps_two_hundred_mails() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    wait_for_mails(&app, 1).await;
    let folder = app.database.mail_folder();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let first = folder.join("000001.eml");
    assert_eq!((mode(&folder), mode(&first)), (0o700, 0o600));
    for number in 2..=205 {
        fs::copy(&first, folder.join(format!("{number:06}.eml"))).unwrap();
    }
    forgot(&susan, "susan@example.com").await;
    wait_until("the newest is there", async || {
        folder.join("000206.eml").exists()
    })
    .await;
    let entries = || fs::read_dir(&folder).unwrap().flatten();
    let names = || entries().map(|entry| entry.file_name().into_string().unwrap());
    wait_until("the draft is gone", async || {
        !names().any(|name| name.starts_with('.'))
    })
    .await;
    let mut names: Vec<_> = names().collect();
    names.sort();
    assert_eq!((names.len(), &*names[0]), (200, "000007.eml"));
    assert_eq!(mode(&folder.join("000206.eml")), 0o600);
}
