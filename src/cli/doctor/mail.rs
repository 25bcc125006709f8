//! Whether the mail server takes mails from Latchkey. The doctor sends none.

use tokio::runtime::Runtime;

use super::report::Report;
use crate::app;
use crate::config::Settings;
use crate::mail::delivery::smtp_url::{Security, SmtpUrl};
use crate::mail::delivery::visit::Obstacle;

/// Visits the mail server, if there is one. Returns false if mails cannot leave.
pub fn mails_can_leave(
    report: &mut Report,
    runtime: &Runtime,
    settings: &Settings,
) -> anyhow::Result<bool> {
    let Some(url) = &settings.mail.smtp_url else {
        return report.note(
            "LATCHKEY_SMTP_URL is not set: mails stay in the data directory. Read them with latchkey mail list.",
        );
    };
    let smtp = match app::mail::smtp(settings, url) {
        Ok(smtp) => smtp,
        Err(error) => {
            return report.bad(
                &format!("Latchkey cannot use the settings for mails: {error:#}."),
                "correct that setting; until then, Latchkey does not start",
            );
        }
    };
    match runtime.block_on(smtp.visit()) {
        Ok(encrypted) => report.good(&welcome(url, encrypted)),
        Err(obstacle) => {
            let finding = finding(&obstacle, url);
            report.bad(&finding, &fix(&obstacle, url))
        }
    }
}

fn welcome(url: &SmtpUrl, encrypted: bool) -> String {
    let line = if encrypted {
        "over TLS"
    } else {
        "without encryption"
    };
    let login = if url.login.is_some() {
        " and accepts the login"
    } else {
        ""
    };
    let server = server(url);
    format!("{server} answers {line}{login}. The doctor sent no mail.")
}

fn server(url: &SmtpUrl) -> String {
    format!("The mail server {}:{}", url.host, url.port)
}

fn finding(obstacle: &Obstacle, url: &SmtpUrl) -> String {
    let server = server(url);
    match obstacle {
        Obstacle::Unreachable(why) => format!("{server} cannot be reached: {why}."),
        Obstacle::Silent => format!("{server} does not answer in time."),
        Obstacle::NotSmtp(why) => format!("{server} does not speak SMTP: {why}."),
        Obstacle::NotTls(why) => format!("{server} does not speak TLS here: {why}."),
        Obstacle::NoStartTls => format!("{server} does not offer STARTTLS."),
        Obstacle::Untrusted(why) => format!("{server} has a certificate from a stranger: {why}."),
        Obstacle::OtherName(why) => format!("{server} has a certificate for another name: {why}."),
        Obstacle::Certificate(why) => {
            format!("{server} has a certificate that is not valid: {why}.")
        }
        Obstacle::NoLogin => {
            format!("{server} offers no login that Latchkey knows (PLAIN, LOGIN).")
        }
        Obstacle::Login(why) => format!("{server} refuses the login: {why}."),
        Obstacle::Refused(why) => format!("{server} refuses Latchkey: {why}."),
    }
}

fn fix(obstacle: &Obstacle, url: &SmtpUrl) -> String {
    let fix = match obstacle {
        Obstacle::Unreachable(_) => {
            "check the host and the port in LATCHKEY_SMTP_URL, and whether a firewall is in the way"
        }
        Obstacle::Silent => {
            "check the port in LATCHKEY_SMTP_URL: smtps:// is usual on 465, and smtp:// with ?tls=required on 587. A \
             firewall may also be in the way"
        }
        Obstacle::NotSmtp(_) => "check the host and the port in LATCHKEY_SMTP_URL",
        Obstacle::NotTls(_) if url.security == Security::Implicit => {
            "if the server expects STARTTLS, as is usual on port 587, write smtp:// and ?tls=required"
        }
        Obstacle::NoStartTls => {
            "check the port in LATCHKEY_SMTP_URL: STARTTLS is usual on 587. If the server speaks TLS at once, as is \
             usual on port 465, write smtps://"
        }
        Obstacle::Untrusted(_) => match &url.ca {
            Some(file) => {
                let file = file.display();
                return format!(
                    "put the certificate of the CA that signed the server's into {file}"
                );
            }
            None => {
                "if the server has your own CA, add ca=FILE to LATCHKEY_SMTP_URL, a file with the CA's certificate (PEM)"
            }
        },
        Obstacle::OtherName(_) => {
            "write the name that is in the certificate into LATCHKEY_SMTP_URL"
        }
        Obstacle::NoLogin if url.security == Security::Plain => {
            "write smtps:// or ?tls=required, because many servers let nobody log in without TLS, or leave user and \
             password out"
        }
        Obstacle::NoLogin => {
            "leave user and password out of LATCHKEY_SMTP_URL, or use the port for clients, such as 587"
        }
        Obstacle::Login(_) => {
            "check user and password in LATCHKEY_SMTP_URL, in which @ is written %40, : is %3A, / is %2F and % is %25"
        }
        Obstacle::NotTls(_) | Obstacle::Certificate(_) | Obstacle::Refused(_) => {
            "see the mail server's log, or ask whoever runs it"
        }
    };
    fix.to_owned()
}
