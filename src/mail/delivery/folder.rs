//! A mailbox for development: one `.eml` file for each mail, in a folder that only its owner can read, because the
//! links in it open accounts.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use mail_parser::MessageParser;

use super::message::message;
use super::outgoing::{Failure, Outgoing};

/// Older mails make room.
const KEPT: usize = 200;

pub struct Folder {
    path: PathBuf,
    from: Mailbox,
}

/// The file of a mail.
struct Kept {
    number: u32,
    path: PathBuf,
}

/// A mail in the folder. Its text holds a link that may open an account.
pub struct KeptMail {
    pub number: u32,
    pub date: String,
    pub to: String,
    pub subject: String,
    pub text: String,
}

impl Folder {
    pub fn new(path: PathBuf, from: Mailbox) -> Self {
        Self { path, from }
    }

    /// Returns the file's name.
    pub fn keep(&self, mail: &Outgoing) -> Result<String, Failure> {
        let bytes = message(&self.from, mail)?.formatted();
        self.write(&bytes)
            .map_err(|error| Failure::Later(format!("{}: {error}", self.path.display())))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<String> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)?;
        let mails = list(&self.path)?;
        for old in mails.iter().rev().skip(KEPT - 1) {
            fs::remove_file(&old.path)?;
        }
        let mut number = mails.last().map_or(1, |last| last.number + 1);
        // Readers see whole files only. Several servers may share the folder.
        let draft = self.path.join(format!(".{}", uuid::Uuid::now_v7()));
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(bytes)?;
        let placed = loop {
            let name = format!("{number:06}.eml");
            match fs::hard_link(&draft, self.path.join(&name)) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                placed => break placed.map(|()| name),
            }
        };
        fs::remove_file(&draft)?;
        placed
    }
}

/// The mails in a folder, the oldest first. A folder that does not exist yet is empty.
fn list(path: &Path) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let kept = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let number = name.strip_suffix(".eml")?.parse().ok()?;
        Some(Kept {
            number,
            path: entry.path(),
        })
    };
    let mut mails: Vec<_> = entries.flatten().filter_map(kept).collect();
    mails.sort_by_key(|mail| mail.number);
    Ok(mails)
}

/// Every mail in a folder, the oldest first.
pub fn read_all(path: &Path) -> io::Result<Vec<KeptMail>> {
    let mut mails = Vec::new();
    for file in list(path)? {
        match fs::read(&file.path) {
            Ok(bytes) => mails.extend(parse(file.number, &bytes)),
            // Another mail needed its place.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(mails)
}

fn parse(number: u32, bytes: &[u8]) -> Option<KeptMail> {
    let mail = MessageParser::default().parse(bytes)?;
    let to = mail.to().and_then(|to| to.first()?.address());
    let date = mail.date().map(mail_parser::DateTime::to_rfc3339);
    Some(KeptMail {
        number,
        date: date.unwrap_or_default(),
        to: to.unwrap_or_default().to_owned(),
        subject: mail.subject().unwrap_or_default().to_owned(),
        text: mail.body_text(0).unwrap_or_default().replace('\r', ""),
    })
}
