//! A visit to the mail server that sends nothing, to find out whether it takes mails from us.

use std::error::Error as _;
use std::io;

use lettre::transport::smtp::Error;
use rustls::CertificateError::{
    BadSignature, NotValidForName, NotValidForNameContext, UnknownIssuer,
};
use tokio::time::timeout;

use super::smtp::{DELIVERED_WITHIN, Smtp, words};
use super::smtp_url::Security;

/// What keeps us from the mail server, in the words of the server or of this machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Obstacle {
    Unreachable(String),
    /// It takes too long.
    Silent,
    /// It speaks, but not SMTP.
    NotSmtp(String),
    /// It does not speak TLS, or no version that we speak.
    NotTls(String),
    NoStartTls,
    /// No authority that we trust has signed its certificate.
    Untrusted(String),
    /// Its certificate is for other names.
    OtherName(String),
    /// Anything else about its certificate, such as its age.
    Certificate(String),
    /// It offers no login, or none that we know.
    NoLogin,
    Login(String),
    Refused(String),
}

impl Smtp {
    /// Introduces ourselves, with TLS and login as configured, and leaves. Returns whether the line was encrypted.
    pub async fn visit(&self) -> Result<bool, Obstacle> {
        let visited = timeout(DELIVERED_WITHIN, self.come_and_go()).await;
        visited.unwrap_or(Err(Obstacle::Silent))
    }

    async fn come_and_go(&self) -> Result<bool, Obstacle> {
        let mut connection = self.reach().await.map_err(at_the_door)?;
        if self.url.security == Security::Required && !connection.can_starttls() {
            return Err(Obstacle::NoStartTls);
        }
        let encrypted = self.encrypt(&mut connection).await;
        encrypted.map_err(at_the_door)?;
        let logged_in = self.log_in(&mut connection).await;
        logged_in.map_err(at_the_login)?;
        let encrypted = connection.is_encrypted();
        // Some servers hang up at once.
        let _ = connection.quit().await;
        Ok(encrypted)
    }
}

fn at_the_door(error: Error) -> Obstacle {
    let why = words(&error);
    match tls_error(&error) {
        // A bad signature: another authority of the same name.
        Some(rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature)) => {
            Obstacle::Untrusted(why)
        }
        Some(rustls::Error::InvalidCertificate(
            NotValidForName | NotValidForNameContext { .. },
        )) => Obstacle::OtherName(why),
        Some(rustls::Error::InvalidCertificate(_)) => Obstacle::Certificate(why),
        Some(_) => Obstacle::NotTls(why),
        None if error.status().is_some() => Obstacle::Refused(why),
        None if error.is_response() => Obstacle::NotSmtp(why),
        None => Obstacle::Unreachable(why),
    }
}

fn at_the_login(error: Error) -> Obstacle {
    let why = words(&error);
    match error.status() {
        Some(_) if error.is_permanent() => Obstacle::Login(why),
        Some(_) => Obstacle::Refused(why),
        None if error.is_client() => Obstacle::NoLogin,
        None => Obstacle::Unreachable(why),
    }
}

/// rustls' own error, which tokio-rustls wraps into one of I/O.
fn tls_error(error: &Error) -> Option<&rustls::Error> {
    let mut cause = error.source();
    while let Some(one) = cause {
        let inner = one.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref()) {
            return Some(found);
        }
        cause = one.source();
    }
    None
}
