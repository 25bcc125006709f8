//! A mail in the format of RFC 5322.

use lettre::Message;
use lettre::message::{Mailbox, MultiPart};

use super::outgoing::{Failure, Outgoing};

/// The whole message, from `from`.
pub fn message(from: &Mailbox, mail: &Outgoing) -> Result<Message, Failure> {
    let to = deliverable(&mail.to).parse();
    let to =
        to.map_err(|error| Failure::Refused(format!("cannot write to this address: {error}")))?;
    let domain = from.email.domain();
    let parts =
        MultiPart::alternative_plain_html(mail.letter.text.clone(), mail.letter.html.clone());
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .message_id(Some(format!("<{}@{domain}>", mail.id)))
        .subject(&mail.letter.subject)
        // RFC 3834: no vacation notices in return, please.
        .raw_header(auto_submitted())
        .multipart(parts)
        .map_err(|error| Failure::Settings(format!("cannot write the mail: {error}")))
}

/// With the domain as DNS has it. A server without SMTPUTF8 (RFC 6531) then refuses only a local part beyond ASCII.
fn deliverable(address: &str) -> String {
    let parts = address.rsplit_once('@');
    let ascii = parts.and_then(|(local, domain)| {
        let domain = idna::domain_to_ascii(domain).ok()?;
        Some(format!("{local}@{domain}"))
    });
    ascii.unwrap_or_else(|| address.to_owned())
}

fn auto_submitted() -> lettre::message::header::HeaderValue {
    let name = lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted");
    lettre::message::header::HeaderValue::new(name, "auto-generated".to_owned())
}
