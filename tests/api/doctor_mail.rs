//! `latchkey doctor` at the mail server: what it finds there, what it says, and that it sends nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::process::{Process, TempDir, command};
use crate::support::smtp::{Mode, Options, Smtp, Tls};
use crate::support::wait_until;

const LOGIN: (&str, &str) = ("susan@example.com", "river:42/lamp");
/// As it stands in a URL.
const ENCODED: &str = "susan%40example.com:river%3A42%2Flamp";

/// The doctor with this mail server. No page answers, so that nothing but the mail server takes time.
fn doctor(data: &Path, smtp_url: &str) -> Command {
    let mut command = command(data);
    command.env("LATCHKEY_SMTP_URL", smtp_url).args([
        "doctor",
        "--origin=http://127.0.0.1:1",
        "--url=http://127.0.0.1:1",
    ]);
    command
}

async fn told_by(mut command: Command) -> (Option<i32>, String) {
    let done = tokio::task::spawn_blocking(move || command.output().unwrap());
    let Output {
        status,
        stdout,
        stderr,
    } = done.await.unwrap();
    let told = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    for secret in ["river", "lamp", "cml2ZXI"] {
        assert!(!told.contains(secret), "{told}");
    }
    (status.code(), told)
}

/// What the doctor finds at the mail server, with the fix. The page's problem comes first.
async fn finding(data: &TempDir, smtp_url: &str) -> String {
    let (code, told) = told_by(doctor(&data.0, smtp_url)).await;
    assert_eq!(code, Some(1), "{told}");
    let (page, mail) = told
        .split_once("The mail server ")
        .unwrap_or_else(|| panic!("{told}"));
    assert!(page.contains("FAIL  Nothing answers"), "{told}");
    let (finding, end) = mail.split_once("latchkey: ").unwrap();
    let mails = if page.ends_with("  ok    ") {
        "one problem keeps people from logging in on that page\n"
    } else {
        assert!(page.ends_with("  FAIL  "), "{told}");
        "one problem keeps people from logging in on that page, and no mail leaves\n"
    };
    assert_eq!(end, mails, "{told}");
    finding.to_owned()
}

fn ca_file(data: &TempDir) -> PathBuf {
    let file = data.0.join("ca.pem");
    std::fs::write(&file, Smtp::ca_pem()).unwrap();
    file
}

/// The server, the URL, and what the doctor says of its line.
const GOOD: &str = "
plain           smtp://HOST                     without encryption
plain login     smtp://LOGIN@HOST               without encryption and accepts the login
plain           smtp://HOST?tls=opportunistic   without encryption
starttls        smtp://HOST?tls=opportunistic&ca=CA     over TLS
starttls login  smtp://LOGIN@HOST?tls=required&ca=CA    over TLS and accepts the login
implicit login  smtps://LOGIN@HOST?ca=CA        over TLS and accepts the login
";

/// The server, the URL, what the doctor finds, and the fix.
const BAD: &str = "
none            smtp://127.0.0.1:1              cannot be reached: Connection refused # check the host and the port
plain           smtp://HOST?tls=required        does not offer STARTTLS # STARTTLS is usual on 587
starttls        smtps://HOST?ca=CA              does not speak TLS here: # write smtp:// and ?tls=required
starttls        smtp://HOST?tls=required        has a certificate from a stranger: # add ca=FILE
implicit        smtps://HOST                    has a certificate from a stranger: # add ca=FILE
implicit        smtps://0.0.0.0:PORT?ca=CA      has a certificate for another name: # the name that is in the certificate
plain           smtp://LOGIN@HOST               offers no login that # leave user and password out
implicit        smtps://LOGIN@HOST?ca=CA        offers no login that # the port for clients
plain login     smtp://u:other-river@HOST       refuses the login: 535 5.7.8 Wrong user or password. # @ is written %40
implicit login  smtps://u:other-river@HOST?ca=CA refuses the login: 535 5.7.8 Wrong # check user and password
";

/// A line of a table: a server of that kind, the whole URL, and the rest of the line.
async fn parse(line: &'static str, ca: &Path) -> (Smtp, String, &'static str) {
    let (kind, rest) = line.split_at(16);
    let (url, rest) = rest.split_once(' ').unwrap();
    let tls = match kind.split(' ').next().unwrap() {
        "starttls" => Tls::StartTls,
        "implicit" => Tls::Implicit,
        _ => Tls::None,
    };
    let login = kind.contains("login").then_some(LOGIN);
    let smtp = Smtp::with(Options {
        tls,
        login,
        ..Options::default()
    })
    .await;
    let url = url
        .replace("HOST", "127.0.0.1:PORT")
        .replace("PORT", &smtp.port.to_string())
        .replace("LOGIN", ENCODED)
        .replace("CA", ca.to_str().unwrap());
    (smtp, url, rest.trim())
}

#[tokio::test]
async fn a_server_that_takes_mails_is_told_with_its_kind_of_line() {
    let data = TempDir::new();
    let ca = ca_file(&data);
    for line in GOOD.trim().lines() {
        let (smtp, url, expected) = parse(line, &ca).await;
        let told = finding(&data, &url).await;
        let port = smtp.port;
        let expected = format!("127.0.0.1:{port} answers {expected}. The doctor sent no mail.\n");
        assert_eq!(told, expected, "{line}");
        assert_eq!((smtp.connections(), smtp.mails().len()), (1, 0), "{line}");
    }
}

#[tokio::test]
async fn each_problem_of_the_mail_server_is_told_with_its_fix() {
    let data = TempDir::new();
    let ca = ca_file(&data);
    for line in BAD.trim().lines() {
        let (smtp, url, expected) = parse(line, &ca).await;
        let told = finding(&data, &url).await;
        let (found, fix) = told.split_once("\n        Fix: ").unwrap();
        let (what, advice) = expected.split_once(" # ").unwrap();
        assert!(
            found.contains(what) && fix.contains(advice),
            "{line}: {told}"
        );
        assert!(smtp.mails().is_empty(), "{line}");
    }
}

#[tokio::test]
async fn settings_that_stop_the_start_are_found_too() {
    let data = TempDir::new();
    let no_certificate = data.0.join("empty.pem");
    std::fs::write(&no_certificate, "Hello").unwrap();
    for (file, why) in [
        (data.0.join("nowhere.pem"), "No such file"),
        (no_certificate, "there is no certificate in it"),
    ] {
        let url = format!("smtps://{ENCODED}@127.0.0.1:1?ca={}", file.display());
        let (code, told) = told_by(doctor(&data.0, &url)).await;
        assert_eq!(code, Some(1), "{told}");
        let expected = format!(
            "  FAIL  Latchkey cannot use the settings for mails: LATCHKEY_SMTP_URL: {}: {why}",
            file.display()
        );
        assert!(told.contains(&expected), "{told}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_a_strangers() {
    let data = TempDir::new();
    let smtp = Smtp::with(Options {
        tls: Tls::Implicit,
        ..Options::default()
    })
    .await;
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = data.0.join("other.pem");
    std::fs::write(&file, other.cert.pem()).unwrap();
    let (port, file) = (smtp.port, file.display());
    let told = finding(&data, &format!("smtps://127.0.0.1:{port}?ca={file}")).await;
    assert!(told.contains("a certificate from a stranger"), "{told}");
    assert!(
        told.contains(&format!("signed the server's into {file}")),
        "{told}"
    );
}

#[tokio::test]
async fn what_is_no_mail_server_is_told_apart() {
    let data = TempDir::new();
    let web = Process::start(&data.0);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await;
        }
    });
    let told = finding(&data, &format!("smtp://127.0.0.1:{port}")).await;
    assert!(told.contains("does not speak SMTP"), "{told}");
    let told = finding(&data, &format!("smtps://{}", web.address)).await;
    assert!(told.contains("does not speak TLS here"), "{told}");
}

/// Twenty seconds, as long as a delivery may take.
#[tokio::test]
async fn a_silent_server_is_told_after_a_while() {
    let data = TempDir::new();
    let (silent, implicit) = (
        Smtp::start().await,
        Options {
            tls: Tls::Implicit,
            ..Options::default()
        },
    );
    silent.set(Mode::Silent);
    // It waits for TLS, and the doctor for a greeting.
    let implicit = Smtp::with(implicit).await;
    let urls = [silent.port, implicit.port].map(|port| format!("smtp://127.0.0.1:{port}"));
    let began = Instant::now();
    let (one, other) = tokio::join!(finding(&data, &urls[0]), finding(&data, &urls[1]));
    assert!(began.elapsed() < Duration::from_secs(40));
    for told in [one, other] {
        assert!(
            told.contains("does not answer in time.\n        Fix: check the port"),
            "{told}"
        );
        assert!(told.contains("smtps:// is usual on 465"), "{told}");
    }
}

#[tokio::test]
async fn signals_end_a_doctor_that_waits_for_the_mail_server() {
    let data = TempDir::new();
    let silent = Smtp::start().await;
    silent.set(Mode::Silent);
    let server = Process::start(&data.0);
    let url = format!("http://{}", server.address);
    let mut doctor = command(&data.0);
    doctor
        .env(
            "LATCHKEY_SMTP_URL",
            format!("smtp://127.0.0.1:{}", silent.port),
        )
        .args(["doctor", "--origin", &url, "--url", &url]);
    let mut child = doctor.spawn().unwrap();
    wait_until("it visits the mail server", async || {
        silent.connections() == 1
    })
    .await;
    let pid = child.id().to_string();
    let told = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(told.success());
    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert_eq!(ended.await.unwrap().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn the_page_and_the_mail_server_are_judged_apart() {
    let data = TempDir::new();
    let smtp = Smtp::start().await;
    let smtp_url = format!("smtp://127.0.0.1:{}", smtp.port);
    let server = Process::spawn(command(&data.0).env("LATCHKEY_SMTP_URL", &smtp_url));
    let url = format!("http://{}", server.address);
    let doctor = |smtp_url: Option<&str>| {
        let mut doctor = command(&data.0);
        doctor.args(["doctor", "--origin", &url, "--url", &url]);
        smtp_url.map(|smtp_url| doctor.env("LATCHKEY_SMTP_URL", smtp_url));
        told_by(doctor)
    };
    let (code, told) = doctor(Some(&smtp_url)).await;
    assert_eq!(code, Some(0), "{told}");
    let ends = "The doctor sent no mail.\n\nAll is well: people can log in from that page.\n";
    assert!(told.ends_with(ends), "{told}");
    let (code, told) = doctor(None).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("note  LATCHKEY_SMTP_URL is not set: mails stay in the data directory."),
        "{told}"
    );
    let (code, told) = doctor(Some("smtp://127.0.0.1:1")).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.ends_with("latchkey: people can log in from that page, but no mail leaves\n"),
        "{told}"
    );
    // The server has not mailed the doctor's user either.
    assert!(smtp.mails().is_empty(), "{:?}", smtp.mails());
}
