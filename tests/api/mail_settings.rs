//! The settings for the app and its mails: what is refused, what is warned of, and what mails show of them.

use std::net::TcpListener;
use std::path::Path;

use crate::support::App;
use crate::support::process::{Process, TempDir, command, ended};
use crate::support::smtp::Smtp;

/// Settings after `LATCHKEY_`, and what the refusal says. Every password here is `river`.
const REFUSED: &str = r"
APP_URL=https://app.example             # LATCHKEY_APP_URL=https://app.example is no trusted origin # LATCHKEY_TRUSTED_ORIGINS
APP_URL=http://localhost:5173 TRUSTED_ORIGINS=http://localhost:5174 # APP_URL=http://localhost:5173 is no trusted origin
APP_URL=http://localhost:8080/app       # LATCHKEY_APP_URL # scheme, host and port only
APP_URL=https://susan:river@app.example # LATCHKEY_APP_URL # scheme, host and port only
APP_NAME=                               # LATCHKEY_APP_NAME # 1 to 64 characters
APP_NAME=Notes\nBcc:                    # LATCHKEY_APP_NAME # without control characters
REGISTRATION=shut                       # LATCHKEY_REGISTRATION # open, closed
REQUIRE_VERIFIED_EMAIL=yes              # LATCHKEY_REQUIRE_VERIFIED_EMAIL # on, off
SIGN_IN_NOTICE=maybe                    # LATCHKEY_SIGN_IN_NOTICE # on, off
REQUIRE_VERIFIED_EMAIL=on PUBLIC_URL=https://login.example # LATCHKEY_REQUIRE_VERIFIED_EMAIL is on # LATCHKEY_SMTP_URL
SMTP_URL=mx.example:25                  # LATCHKEY_SMTP_URL # smtps://user:password@host
SMTP_URL=susan:river@mx.example:25      # LATCHKEY_SMTP_URL # smtps://user:password@host
SMTP_URL=https://susan:river@mx.example # LATCHKEY_SMTP_URL # smtps://user:password@host
SMTP_URL=smtp://susan:river@mx.example  # LATCHKEY_SMTP_URL # the password would travel unencrypted
SMTP_URL=smtp://susan:river@mx.example?tls=opportunistic # LATCHKEY_SMTP_URL # use smtps:// or ?tls=required
SMTP_URL=smtp://susan:river@mx.example?tls=yes      # LATCHKEY_SMTP_URL # required or opportunistic
SMTP_URL=smtps://susan:river@mx.example?tls=required # LATCHKEY_SMTP_URL # leave out tls=
SMTP_URL=smtps://susan:river@mx.example?key=x       # LATCHKEY_SMTP_URL # tls and ca can be set
SMTP_URL=smtps://susan:river@mx.example:99999       # LATCHKEY_SMTP_URL # invalid port
SMTP_URL=smtps://susan:river@mx.example/river       # LATCHKEY_SMTP_URL # there is a path
SMTP_URL=smtps://susan:riv/er@mx.example            # LATCHKEY_SMTP_URL # smtps://user:password@host
SMTP_URL=smtps://susan@mx.example                   # LATCHKEY_SMTP_URL # a user and a password
PUBLIC_URL=http://[2001:db8::1]         # LATCHKEY_MAIL_FROM is not set, and [2001:db8::1] cannot be part of an address
MAIL_FROM=                              # LATCHKEY_MAIL_FROM # noreply@app.example
MAIL_FROM=noreply                       # LATCHKEY_MAIL_FROM # App <noreply@app.example>
MAIL_FROM=Notes_<noreply@>              # LATCHKEY_MAIL_FROM # App <noreply@app.example>
MAIL_FROM=noreply@a.example,x@b.example # LATCHKEY_MAIL_FROM # App <noreply@app.example>
MAIL_FROM=a@b.example\r\nBcc:x@b.example # LATCHKEY_MAIL_FROM # App <noreply@app.example>
";

/// What Latchkey says when it refuses to start. If it accepts the settings, it fails at the address, which is taken.
fn refusal(data: &Path, settings: &[(String, String)]) -> String {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = command(data);
    command
        .env("LATCHKEY_LISTEN", address)
        .envs(settings.iter().cloned());
    let done = ended(&mut command);
    let told = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(
        matches!(done.status.code(), Some(1 | 2)),
        "{settings:?}: {told}"
    );
    told
}

fn setting(name: &str, value: &str) -> (String, String) {
    let value = value
        .replace('_', " ")
        .replace("\\n", "\n")
        .replace("\\r", "\r");
    (format!("LATCHKEY_{name}"), value)
}

#[test]
fn settings_that_cannot_work_are_refused_with_the_fix() {
    let data = TempDir::new();
    for line in REFUSED.trim().lines() {
        let mut parts = line.split('#').map(str::trim);
        let settings = parts.next().unwrap().split(' ');
        let settings = settings.map(|text| text.split_once('=').unwrap());
        let settings: Vec<_> = settings.map(|(name, value)| setting(name, value)).collect();
        let told = refusal(&data.0, &settings);
        for expected in parts {
            assert!(told.contains(expected), "{line}: {told}");
        }
        assert!(
            !told.contains("river") && !told.contains("riv/er"),
            "{line}: {told}"
        );
    }
    assert!(
        !data.0.join("postgres").exists(),
        "refused before anything is created"
    );
}

#[test]
fn mail_templates_are_checked_at_the_start() {
    let data = TempDir::new();
    let folder = data.0.join("texts");
    let refused = || {
        refusal(
            &data.0,
            &[setting("MAIL_TEMPLATES", folder.to_str().unwrap())],
        )
    };
    let told = refused();
    let place = folder.display();
    let expected =
        format!("latchkey: LATCHKEY_MAIL_TEMPLATES: mail template {place}: cannot be read: ");
    assert!(told.contains(&expected), "{told}");
    std::fs::create_dir(&folder).unwrap();
    for (text, expected) in [
        (
            "{{ lnk }}",
            "there is no {{ lnk }} here; write {{ app_name }}, ",
        ),
        (
            "{{ password }} {{ link }}",
            "there is no {{ password }} here; write {{ app_name }}, ",
        ),
        (
            "Hello",
            "{{ link }} is missing; it must stand on a line of its own",
        ),
    ] {
        std::fs::write(folder.join("reset_password.en.txt"), text).unwrap();
        let told = refused();
        let expected = format!(
            "latchkey: LATCHKEY_MAIL_TEMPLATES: mail template reset_password.en.txt: {expected}"
        );
        assert!(told.contains(&expected), "{told}");
    }
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    let data = TempDir::new();
    let file = data.0.join("ca.pem");
    let url = format!("smtps://susan:river@mx.example?ca={}", file.display());
    for why in [
        "No such file or directory",
        "there is no certificate in it (PEM)",
    ] {
        let told = refusal(&data.0, &[("LATCHKEY_SMTP_URL".to_owned(), url.clone())]);
        let expected = format!("LATCHKEY_SMTP_URL: {}: {why}", file.display());
        assert!(
            told.contains(&expected) && !told.contains("river"),
            "{told}"
        );
        std::fs::write(&file, "-----BEGIN PRIVATE KEY-----").unwrap();
    }
}

#[tokio::test]
async fn the_start_says_what_is_doubtful_about_mails() {
    let smtp = Smtp::start().await;
    let url = format!("smtp://127.0.0.1:{}", smtp.port);
    let (nowhere, unverified) = (
        "LATCHKEY_SMTP_URL is not set: mails stay in the data directory, so nobody can reset a password",
        "LATCHKEY_REQUIRE_VERIFIED_EMAIL is off: people can log in before they verify their address",
    );
    let https = ("LATCHKEY_PUBLIC_URL", "https://login.example");
    let server = ("LATCHKEY_SMTP_URL", &*url);
    let verified = ("LATCHKEY_REQUIRE_VERIFIED_EMAIL", "on");
    for (settings, said) in [
        (&[][..], &[][..]),
        (&[verified], &[]),
        (&[https], &[nowhere]),
        (&[https, server], &[unverified]),
        (&[https, server, verified], &[]),
    ] {
        let data = TempDir::new();
        let process = Process::spawn(command(&data.0).envs(settings.iter().copied()));
        let log = process.output.lock().unwrap().clone();
        for text in [nowhere, unverified] {
            let times = usize::from(said.contains(&text));
            assert_eq!(log.matches(text).count(), times, "{settings:?}: {log}");
        }
    }
}

#[tokio::test]
async fn mails_come_from_the_host_of_the_app_under_its_name() {
    let origin = "--trusted-origins=http://app.example:5173";
    let elsewhere = "--app-url=http://app.example:5173";
    for (arguments, address, from) in [
        (
            &[][..],
            "noreply@localhost",
            "localhost <noreply@localhost>",
        ),
        (
            &["--app-name=Notes"],
            "noreply@localhost",
            "Notes <noreply@localhost>",
        ),
        (
            &[origin, elsewhere],
            "noreply@app.example",
            "app.example <noreply@app.example>",
        ),
        (
            &["--mail-from=no@b.example", "--app-name=Café"],
            "no@b.example",
            "Café <no@b.example>",
        ),
        (
            &["--mail-from=Susan <s@b.example>", "--app-name=Notes"],
            "s@b.example",
            "Susan <s@b.example>",
        ),
        (
            &["--public-url=http://127.0.0.1:8080", "--app-name=Notes"],
            "noreply@127.0.0.1",
            "Notes <noreply@127.0.0.1>",
        ),
    ] {
        let smtp = Smtp::start().await;
        let url = format!("--smtp-url=smtp://127.0.0.1:{}", smtp.port);
        let app = App::with(&[&[&*url], arguments].concat()).await;
        app.registered("susan").await;
        let mail = smtp.mail_to("susan@example.com").await;
        assert_eq!(
            (&*mail.from, &*mail.header("From").unwrap()),
            (address, from)
        );
    }
}

#[test]
fn the_help_explains_every_setting_in_its_place() {
    let data = TempDir::new();
    let help = command(&data.0).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let section = |heading: &str| {
        let (_, rest) = help.split_once(&format!("\n{heading}:\n")).unwrap();
        rest.split("\n\n").next().unwrap().to_owned()
    };
    let app = "app-url app-name registration require-verified-email admin-second-factor pages passkeys passkey-rp-id oidc-providers";
    let mail = "smtp-url mail-from mail-templates sign-in-notice";
    for (heading, flags) in [("Your app", app), ("Mail", mail)] {
        let section = section(heading);
        assert_eq!(
            section.matches("\n      --").count() + 1,
            flags.split(' ').count()
        );
        for flag in flags.split(' ') {
            let variable = format!("[env: LATCHKEY_{}", flag.to_uppercase().replace('-', "_"));
            let (_, text) = section.split_once(&format!("--{flag} <")).unwrap();
            let text = text.split("\n      --").next().unwrap();
            let words: Vec<_> = text.split_whitespace().collect();
            assert!(
                words.len() > 10 && words.join(" ").contains(&variable),
                "{flag}: {text}"
            );
        }
    }
    // The password of a URL in the environment is not printed.
    let mut with_password = command(&data.0);
    with_password.env("LATCHKEY_SMTP_URL", "smtps://susan:river@mx.example");
    let help = with_password.args(["serve", "--help"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains("river"));
}
