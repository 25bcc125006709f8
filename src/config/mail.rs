//! Settings for mails.

use std::path::PathBuf;

use clap::Args;
use lettre::message::Mailbox;
use url::{Host, Url};

use super::values::{Switch, Unrepeated};
use crate::mail::delivery::smtp_url::SmtpUrl;

#[derive(Args, Clone)]
#[command(next_help_heading = "Mail")]
pub struct MailSettings {
    /// Mail server to use: smtps://user:password@host, or smtp://user:password@host:587?tls=required for STARTTLS. Add
    /// ca=FILE if its certificate comes from your own CA. Without a mail server, mails stay in the data directory, for
    /// development: read them with latchkey mail.
    #[arg(long, env = "LATCHKEY_SMTP_URL", hide_env_values = true, value_name = "URL", value_parser = Unrepeated(SmtpUrl::parse))]
    pub smtp_url: Option<SmtpUrl>,

    /// Sender of the mails: noreply@app.example, or Notes <noreply@app.example>. The default is noreply at the host of
    /// your app, under your app's name.
    #[arg(long, env = "LATCHKEY_MAIL_FROM", value_name = "ADDRESS", value_parser = parse_sender)]
    pub mail_from: Option<Mailbox>,

    /// Directory of your own mail texts: files named KIND.LOCALE.subject, .txt and .html, which add a language or replace
    /// a built-in text.
    #[arg(long, env = "LATCHKEY_MAIL_TEMPLATES", value_name = "DIR")]
    pub mail_templates: Option<PathBuf>,

    /// Whether people get a mail when someone logs in to their account from a new browser. The default is on with a mail
    /// server, and off without one.
    #[arg(long, env = "LATCHKEY_SIGN_IN_NOTICE", value_name = "on|off")]
    pub sign_in_notice: Option<Switch>,
}

impl MailSettings {
    pub fn sign_in_notice(&self) -> bool {
        match self.sign_in_notice {
            Some(chosen) => chosen == Switch::On,
            None => self.smtp_url.is_some(),
        }
    }

    /// Who the mails of this app come from.
    pub fn sender(&self, app_url: &Url, app_name: &str) -> Result<Mailbox, String> {
        let mut sender = match &self.mail_from {
            Some(sender) => sender.clone(),
            None => {
                let domain = domain_of(app_url);
                parse_sender(&format!("noreply@{domain}")).map_err(|_| {
                    format!("LATCHKEY_MAIL_FROM is not set, and {domain} cannot be part of an address: set it")
                })?
            }
        };
        if sender.name.is_none() {
            sender.name = Some(app_name.to_owned());
        }
        Ok(sender)
    }
}

/// The host as a part of an address. lettre writes no IPv6 there, and a server that only this machine uses needs none.
fn domain_of(url: &Url) -> &str {
    match url.host() {
        Some(Host::Ipv6(ip)) if ip.is_loopback() => "localhost",
        _ => url.host_str().unwrap_or_default(),
    }
}

/// `noreply@app.example`, or `App <noreply@app.example>`
fn parse_sender(text: &str) -> Result<Mailbox, String> {
    let wanted = "write noreply@app.example or App <noreply@app.example>";
    if text.chars().any(char::is_control) {
        return Err(wanted.into());
    }
    text.parse().map_err(|error| format!("{error}; {wanted}"))
}
