//! Where mails go: to an SMTP server, or into a folder during development.

use folder::Folder;
use outgoing::{Failure, Outgoing};
use smtp::Smtp;

pub mod folder;
pub mod message;
pub mod outgoing;
pub mod smtp;
pub mod smtp_url;
pub mod visit;

pub enum Delivery {
    Smtp(Smtp),
    Folder(Folder),
}

impl Delivery {
    /// Returns where the mail is now, for the log.
    pub async fn send(&self, mail: &Outgoing) -> Result<String, Failure> {
        match self {
            Self::Smtp(server) => server.send(mail).await,
            Self::Folder(folder) => folder.keep(mail),
        }
    }
}
