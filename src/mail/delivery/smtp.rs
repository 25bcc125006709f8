//! Delivery over SMTP (RFC 5321).
//!
//! lettre speaks the protocol. The connections are kept here, because its pool takes back those of deliveries that were
//! cut short, and the next mail then reads the answers to the last.

use std::error::Error as _;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::extension::{ClientId, Extension};
use tokio::time::timeout;

use super::message::message;
use super::outgoing::{Failure, Outgoing};
use super::smtp_url::{Security, SmtpUrl};
use crate::mail::templates::one_line;

/// For the whole delivery of a mail; less than its claim.
pub(super) const DELIVERED_WITHIN: Duration = Duration::from_secs(20);
/// Connections kept for the next mail, and for how long.
const KEPT: usize = 4;
const IDLE: Duration = Duration::from_secs(30);
/// What concerns the recipient (RFC 5321 4.2.2): no such mailbox, not local, too full, a name not allowed.
const ABOUT_THE_RECIPIENT: [u16; 4] = [550, 551, 552, 553];
/// A policy of the server (RFC 3463 3.8) or our sender's address (3.2): it refuses us, not the recipient.
const ABOUT_US: [&str; 3] = ["5.7.", "5.1.7", "5.1.8"];

pub struct Smtp {
    pub(super) url: SmtpUrl,
    tls: Option<TlsParameters>,
    from: Mailbox,
    hello: ClientId,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    /// `hello` is the name that we introduce ourselves by.
    pub fn new(url: &SmtpUrl, from: Mailbox, hello: &str) -> Result<Self, String> {
        Ok(Self {
            tls: tls(url)?,
            url: url.clone(),
            from,
            hello: ClientId::Domain(hello.to_owned()),
            idle: Mutex::default(),
        })
    }

    /// Returns the server's name.
    pub async fn send(&self, mail: &Outgoing) -> Result<String, Failure> {
        let message = message(&self.from, mail)?;
        let (envelope, text) = (message.envelope(), message.formatted());
        let delivered = async {
            let mut connection = match self.kept().await {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let beyond_ascii = envelope.to().iter().any(|to| !to.user().is_ascii());
            let utf8 = Extension::SmtpUtfEight;
            if beyond_ascii && !connection.server_info().supports_feature(utf8) {
                self.keep(connection);
                let why = "the mail server takes no address with a local part beyond ASCII";
                return Err(Failure::Refused(why.to_owned()));
            }
            connection.send(envelope, &text).await?;
            self.keep(connection);
            Ok(())
        };
        self.in_time(delivered).await?;
        Ok(format!("{}:{}", self.url.host, self.url.port))
    }

    /// lettre's own timeout covers only the connecting. Whatever is cut short closes its connection.
    async fn in_time(
        &self,
        work: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        timeout(DELIVERED_WITHIN, work).await.unwrap_or_else(|_| {
            let why = "the mail server did not answer in time";
            Err(Failure::Later(why.to_owned()))
        })
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let mut connection = self.reach().await?;
        self.encrypt(&mut connection).await?;
        self.log_in(&mut connection).await?;
        Ok(connection)
    }

    /// Connects and says EHLO.
    pub(super) async fn reach(&self) -> Result<AsyncSmtpConnection, Error> {
        let server = (self.url.host.as_str(), self.url.port);
        let at_once = self
            .tls
            .clone()
            .filter(|_| self.url.security == Security::Implicit);
        AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, at_once, None).await
    }

    /// With STARTTLS, as far as the settings ask for it.
    pub(super) async fn encrypt(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Error> {
        let offered = connection.can_starttls();
        match &self.tls {
            Some(tls)
                if self.url.security == Security::Required
                    || self.url.security == Security::Opportunistic && offered =>
            {
                connection.starttls(tls.clone(), &self.hello).await
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn log_in(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Error> {
        if let Some((user, password)) = &self.url.login {
            let login = Credentials::new(user.clone(), password.clone());
            connection.auth(DEFAULT_MECHANISMS, &login).await?;
        }
        Ok(())
    }

    /// A connection of a mail before, if the server is still there.
    async fn kept(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (mut connection, since) = self.idle().pop()?;
            if since.elapsed() < IDLE && connection.test_connected().await {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push((connection, Instant::now()));
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` for a line that stays plain.
fn tls(url: &SmtpUrl) -> Result<Option<TlsParameters>, String> {
    if url.security == Security::Plain {
        return Ok(None);
    }
    let mut parameters = TlsParameters::builder(url.host.clone());
    if let Some(file) = &url.ca {
        let shown = |error: String| format!("{}: {error}", file.display());
        let pem = fs::read(file).map_err(|error| shown(error.to_string()))?;
        // lettre makes an authority that signed nothing of any other file.
        if !String::from_utf8_lossy(&pem).contains("BEGIN CERTIFICATE") {
            return Err(shown("there is no certificate in it (PEM)".to_owned()));
        }
        let ca = Certificate::from_pem(&pem).map_err(|error| shown(error.to_string()))?;
        parameters = parameters
            .certificate_store(CertificateStore::None)
            .add_root_certificate(ca);
    }
    let parameters = parameters.build_rustls();
    parameters.map(Some).map_err(|error| error.to_string())
}

impl From<Error> for Failure {
    /// Everything is worth another try but what the server refuses for good, and what only the operator can mend.
    fn from(error: Error) -> Self {
        let why = words(&error);
        let code = error.status().map(u16::from).unwrap_or_default();
        let said = error.source().map(ToString::to_string).unwrap_or_default();
        let about_us = ABOUT_US.iter().any(|status| said.starts_with(status));
        if error.is_permanent() && ABOUT_THE_RECIPIENT.contains(&code) && !about_us {
            Self::Refused(why)
        } else if error.is_client() || error.is_permanent() {
            Self::Settings(why)
        } else {
            Self::Later(why)
        }
    }
}

/// What the server said, with its code, or what this machine says. lettre's own words add nothing to that.
pub(super) fn words(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        said = deeper.to_string();
        cause = deeper.source();
    }
    match error.status() {
        Some(code) => one_line(&format!("{code} {said}")),
        None => one_line(&said),
    }
}
