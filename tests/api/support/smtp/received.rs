//! A mail as the SMTP server received it, and its parts as a person reads them.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

#[derive(Clone, Debug)]
pub struct Received {
    /// The addresses of the envelope, as MAIL and RCPT gave them.
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, without the dots that SMTP adds to lines.
    pub raw: String,
    pub at: Instant,
    /// Which connection brought it. The first is 1.
    pub connection: usize,
}

impl Received {
    /// A header in one line, with its encoded words (RFC 2047) decoded.
    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.raw, name).map(|value| decode_words(&value))
    }

    pub fn message_id(&self) -> String {
        self.header("Message-ID").expect("a Message-ID")
    }

    /// The text/plain part, with `\n` as line ends.
    pub fn text(&self) -> String {
        self.part("text/plain").expect("a text/plain part")
    }

    /// The text/html part, with `\n` as line ends.
    pub fn html(&self) -> String {
        self.part("text/html").expect("a text/html part")
    }

    /// The first part of a type, decoded.
    pub fn part(&self, kind: &str) -> Option<String> {
        find_part(&self.raw, kind)
    }

    /// The first link in the text.
    pub fn link(&self) -> String {
        let text = self.text();
        let starts = ["http://", "https://"].map(|scheme| text.find(scheme));
        let start = starts.into_iter().flatten().min().expect("a link");
        let link = text[start..]
            .split(|c: char| c.is_whitespace() || "<>\"".contains(c))
            .next();
        link.unwrap().trim_end_matches(['.', ',', ')']).to_owned()
    }

    pub fn token(&self) -> String {
        let link = self.link();
        let (_, token) = link.split_once("#token=").expect("a token in the link");
        token.to_owned()
    }
}

/// The headers and the body of a mail or a part.
fn split(entity: &str) -> (&str, &str) {
    match entity.strip_prefix("\r\n") {
        Some(body) => ("", body),
        None => entity.split_once("\r\n\r\n").unwrap_or((entity, "")),
    }
}

fn header(entity: &str, name: &str) -> Option<String> {
    let unfolded = split(entity)
        .0
        .replace("\r\n ", " ")
        .replace("\r\n\t", "\t");
    unfolded.split("\r\n").find_map(|line| {
        let (given, value) = line.split_once(':')?;
        let same = given.eq_ignore_ascii_case(name);
        same.then(|| value.trim().to_owned())
    })
}

fn find_part(entity: &str, kind: &str) -> Option<String> {
    let content = header(entity, "Content-Type").unwrap_or_else(|| "text/plain".to_owned());
    let mut fields = content.split(';').map(str::trim);
    let found = fields.next()?.to_ascii_lowercase();
    let body = split(entity).1;
    if found == kind {
        let encoding = header(entity, "Content-Transfer-Encoding").unwrap_or_default();
        return Some(decode_body(body, &encoding.to_ascii_lowercase()));
    }
    if !found.starts_with("multipart/") {
        return None;
    }
    let boundary = fields.find_map(|field| {
        let (name, value) = field.split_once('=')?;
        let same = name.eq_ignore_ascii_case("boundary");
        same.then(|| value.trim_matches('"'))
    })?;
    let body = format!("\r\n{body}");
    let separator = format!("\r\n--{boundary}");
    let mut parts = body.split(&separator).skip(1);
    parts.find_map(|part| find_part(part.split_once("\r\n")?.1, kind))
}

fn decode_body(body: &str, encoding: &str) -> String {
    let bytes = match encoding {
        "" | "7bit" | "8bit" => body.as_bytes().to_vec(),
        "base64" => {
            let text: String = body.split_whitespace().collect();
            decode_base64(&text).expect("a body in base64")
        }
        "quoted-printable" => decode_quoted(&body.replace("=\r\n", "")),
        other => panic!("unknown encoding {other}"),
    };
    let text = String::from_utf8(bytes).expect("a body in UTF-8");
    text.replace("\r\n", "\n")
}

pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len()];
    let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// `=C3=A4` becomes the bytes C3 and A4.
fn decode_quoted(text: &str) -> Vec<u8> {
    let mut pieces = text.split('=');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let byte = piece.get(..2).map(|hex| u8::from_str_radix(hex, 16));
        let Some(Ok(byte)) = byte else {
            panic!("not quoted-printable: ={piece}");
        };
        bytes.push(byte);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    bytes
}

/// White space between two encoded words does not count.
fn decode_words(value: &str) -> String {
    let mut decoded = String::new();
    let mut gap = String::new();
    let mut after_word = false;
    for piece in value.split_inclusive(char::is_whitespace) {
        let text = piece.trim_end();
        if !text.is_empty() {
            let word = decode_word(text);
            if !after_word || word.is_none() {
                decoded.push_str(&gap);
            }
            gap.clear();
            after_word = word.is_some();
            decoded.push_str(word.as_deref().unwrap_or(text));
        }
        gap.push_str(&piece[text.len()..]);
    }
    decoded
}

/// `=?utf-8?B?w6Q=?=` becomes `ä`.
fn decode_word(word: &str) -> Option<String> {
    let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut fields = inner.splitn(3, '?');
    let charset = fields.next()?;
    let encoding = fields.next()?;
    let text = fields.next()?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => decode_base64(text)?,
        "Q" | "q" => decode_quoted(&text.replace('_', " ")),
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}
