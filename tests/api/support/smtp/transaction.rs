//! The commands that carry a mail: MAIL, RCPT and DATA.

use std::io::{self, ErrorKind};
use std::time::Instant;

use super::session::{Answer, BAD_PARAMETERS, OK, Session, WRONG_ORDER};
use super::{Mode, Received, Server, Tls};

/// The longest line, including its end (RFC 5321, section 4.5.3.1.6).
const LONGEST_LINE: usize = 1000;

#[derive(Default)]
pub struct Envelope {
    from: String,
    to: Vec<String>,
    /// Addresses and headers may be UTF-8 (RFC 6531).
    utf8: bool,
    /// The text may be more than ASCII (RFC 6152).
    eight_bit: bool,
}

impl Session {
    pub fn mail(&mut self, rest: &str) -> Answer {
        let Server { options, .. } = &*self.server;
        if self.hello.is_none() || self.mail.is_some() {
            return WRONG_ORDER;
        }
        if options.tls == Tls::StartTls && !self.encrypted {
            return "530 5.7.0 Issue STARTTLS first";
        }
        if options.login.is_some() && !self.logged_in {
            return "530 5.7.0 Log in first";
        }
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return BAD_PARAMETERS;
        };
        let mut mail = Envelope {
            from,
            ..Envelope::default()
        };
        for parameter in parameters {
            match parameter.to_ascii_uppercase().as_str() {
                "SMTPUTF8" if !options.ascii_only => mail.utf8 = true,
                "BODY=8BITMIME" => mail.eight_bit = true,
                "BODY=7BIT" => {}
                _ => return "555 5.5.4 Unknown parameter",
            }
        }
        if self.server.mode() == Mode::RefuseSender {
            return "553 5.1.8 Sender address rejected: domain not found";
        }
        if !mail.utf8 && !mail.from.is_ascii() {
            return "553 5.6.7 Needs SMTPUTF8";
        }
        self.mail = Some(mail);
        "250 2.1.0 OK"
    }

    pub fn rcpt(&mut self, rest: &str) -> Answer {
        let Some(mail) = &mut self.mail else {
            return WRONG_ORDER;
        };
        let Some((to, parameters)) = path(rest, "TO:") else {
            return BAD_PARAMETERS;
        };
        if !to.contains('@') || !parameters.is_empty() {
            return BAD_PARAMETERS;
        }
        if !mail.utf8 && !to.is_ascii() {
            return "553 5.6.7 Needs SMTPUTF8";
        }
        match self.server.mode() {
            Mode::RefuseRecipient(address) if address == to => "550 5.1.1 No such mailbox",
            Mode::Greylist => "451 4.7.1 Try again later",
            _ => {
                mail.to.push(to);
                "250 2.1.5 OK"
            }
        }
    }

    pub async fn data(&mut self, rest: &str) -> io::Result<Answer> {
        if !rest.is_empty() {
            return Ok(BAD_PARAMETERS);
        }
        if self.mail.as_ref().is_none_or(|mail| mail.to.is_empty()) {
            return Ok(WRONG_ORDER);
        }
        self.answer("354 End with a dot on its own line").await?;
        let (raw, fault) = self.content().await?;
        let Some(mail) = self.mail.take() else {
            return Ok(WRONG_ORDER);
        };
        if let Some(fault) = fault {
            return Ok(fault);
        }
        if !mail.utf8 && !mail.eight_bit && !raw.is_ascii() {
            return Ok("554 5.6.1 Needs BODY=8BITMIME");
        }
        self.server.keep(Received {
            from: mail.from,
            to: mail.to,
            raw: String::from_utf8_lossy(&raw).into_owned(),
            at: Instant::now(),
            connection: self.number,
        });
        match self.server.hangs_up(Mode::AcceptThenDrop) {
            true => Err(ErrorKind::ConnectionAborted.into()),
            false => Ok(OK),
        }
    }

    /// Reads up to the final dot. A fault is answered after it.
    async fn content(&mut self) -> io::Result<(Vec<u8>, Option<Answer>)> {
        let mut raw = Vec::new();
        let mut fault = None;
        loop {
            let line = self.line().await?;
            if self.server.hangs_up(Mode::DropMidData) {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            // A dot after a bare LF does not end the mail: others could smuggle a second one in.
            if line == b".\r\n" && (raw.is_empty() || raw.ends_with(b"\r\n")) {
                return Ok((raw, fault));
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            let text = line.strip_suffix(b"\r\n").unwrap_or(b"\r");
            if text.contains(&b'\r') {
                fault = Some("554 5.6.0 Lines end in CRLF");
            } else if line.len() > LONGEST_LINE {
                fault = Some("554 5.6.0 Line too long");
            }
            raw.extend_from_slice(line);
        }
    }
}

/// The address in `FROM:<susan@example.com>` or `TO:<…>`, and the parameters after it.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(String, Vec<&'a str>)> {
    let (given, rest) = rest.split_at_checked(keyword.len())?;
    if !given.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (address, parameters) = rest.strip_prefix('<')?.split_once('>')?;
    let separate = parameters.is_empty() || parameters.starts_with(' ');
    let clean = !address.contains(|c: char| c.is_whitespace() || c == '<');
    (separate && clean).then(|| (address.to_owned(), parameters.split_whitespace().collect()))
}
