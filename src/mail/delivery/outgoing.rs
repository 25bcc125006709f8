//! A mail to deliver, and why it was not delivered.

use uuid::Uuid;

use crate::mail::templates::Letter;

/// A mail, written and addressed.
pub struct Outgoing {
    /// The same for every attempt, and so is the Message-ID.
    pub id: Uuid,
    pub to: String,
    pub letter: Letter,
}

/// Why a mail was not delivered.
#[derive(Debug)]
pub enum Failure {
    /// Worth another try.
    Later(String),
    /// The server will never take this mail.
    Refused(String),
    /// The operator has to change something; until then no mail leaves.
    Settings(String),
}
