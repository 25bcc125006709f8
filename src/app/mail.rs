//! Wires the sending of mails.

use std::path::{Path, PathBuf};

use anyhow::Context;
use lettre::message::Mailbox;

use crate::auth::outbox::mailer::{Mailer, Places};
use crate::auth::services::Services;
use crate::config::Settings;
use crate::domain::secret;
use crate::domain::site::is_this_machine;
use crate::mail::delivery::Delivery;
use crate::mail::delivery::folder::Folder;
use crate::mail::delivery::smtp::Smtp;
use crate::mail::delivery::smtp_url::SmtpUrl;
use crate::mail::templates::Templates;

/// The folder of the mailbox page: only where nobody else's mails can be. A server with a public name has a proxy in
/// front, whose requests may look as if they came from this machine.
pub fn shown(settings: &Settings, folder: &Path) -> Option<PathBuf> {
    let is_development = is_this_machine(&settings.server.public_url());
    let shown = settings.mail.smtp_url.is_none() && is_development;
    shown.then(|| folder.to_owned())
}

/// Builds what sends the mails: over SMTP, or without a mail server into `folder`.
pub fn mailer(
    settings: &Settings,
    services: &Services,
    secret_key: &str,
    folder: &Path,
) -> anyhow::Result<Mailer> {
    let delivery = match &settings.mail.smtp_url {
        Some(url) => Delivery::Smtp(smtp(settings, url)?),
        None => Delivery::Folder(Folder::new(folder.to_owned(), sender(settings)?)),
    };
    let templates = match &settings.mail.mail_templates {
        Some(folder) => Templates::with_folder(folder).context("LATCHKEY_MAIL_TEMPLATES")?,
        None => Templates::built_in()?,
    };
    Ok(Mailer {
        services: services.clone(),
        templates,
        delivery,
        token_key: secret::derived("mailed tokens", secret_key),
        app_name: settings.app_name(),
        app_url: settings.app_url(),
        pages: settings.app.pages.clone(),
        places: Places::default(),
    })
}

/// The mail server as the settings have it.
pub fn smtp(settings: &Settings, url: &SmtpUrl) -> anyhow::Result<Smtp> {
    let public_url = settings.server.public_url();
    let hello = public_url.host_str().unwrap_or("localhost");
    let smtp = Smtp::new(url, sender(settings)?, hello).map_err(anyhow::Error::msg);
    smtp.context("LATCHKEY_SMTP_URL")
}

fn sender(settings: &Settings) -> anyhow::Result<Mailbox> {
    let sender = settings
        .mail
        .sender(&settings.app_url(), &settings.app_name());
    sender.map_err(anyhow::Error::msg)
}
