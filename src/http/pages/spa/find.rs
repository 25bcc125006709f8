//! Finds the file that answers a request.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use actix_files::{NamedFile, file_extension_to_mime};
use actix_web::http::header::ContentEncoding;
use actix_web::mime::{self, Mime};

use super::caching;
use super::coding::suffix;
use super::place::{Place, is_hidden};

const INDEX: &str = "index.html";

pub struct Wanted {
    pub place: Place,
    /// Whether a browser wants to show the answer as a page.
    pub is_navigation: bool,
    /// What the client can unpack, its favourite first.
    pub codings: Vec<ContentEncoding>,
}

pub enum Found {
    File(Box<Kept>),
    /// With a page of its own.
    Folder,
    Nothing,
}

pub struct Kept {
    pub file: NamedFile,
    pub may_be_kept_for_good: bool,
}

/// The directory, without links in its path.
struct Root<'a> {
    path: PathBuf,
    private: &'a [PathBuf],
}

/// A link may lead anywhere in the directory, and never out of it.
pub fn find(directory: &Path, private: &[PathBuf], wanted: &Wanted) -> io::Result<Found> {
    // Each time anew: a deployment may point a link to another directory.
    let Some(root) = there(directory.canonicalize())? else {
        return Ok(Found::Nothing);
    };
    let root = Root {
        path: root,
        private,
    };
    let found = match &wanted.place {
        Place::File(name) => root.open(name, wanted)?,
        Place::Folder(name) => root.open(&name.join(INDEX), wanted)?,
        Place::Page => None,
        Place::Nowhere => return Ok(Found::Nothing),
    };
    if let Some(kept) = found {
        return Ok(Found::File(Box::new(kept)));
    }
    if let Place::File(name) = &wanted.place
        && root.file(&name.join(INDEX))?.is_some()
    {
        return Ok(Found::Folder);
    }
    let may_be_page = match &wanted.place {
        Place::File(name) => !has_type(name),
        _ => true,
    };
    let index = match wanted.is_navigation && may_be_page {
        true => root.open(Path::new(INDEX), wanted)?,
        false => None,
    };
    Ok(index.map_or(Found::Nothing, |kept| Found::File(Box::new(kept))))
}

impl Root<'_> {
    /// Opens a file, or what the build has packed beside it.
    fn open(&self, name: &Path, wanted: &Wanted) -> io::Result<Option<Kept>> {
        let Some(plain) = self.file(name)? else {
            return Ok(None);
        };
        for coding in &wanted.codings {
            let mut packed = OsString::from(name);
            packed.push(suffix(*coding));
            if let Some(file) = self.file(Path::new(&packed))? {
                return kept(file, name, Some(*coding)).map(Some);
            }
        }
        kept(plain, name, None).map(Some)
    }

    /// A file that is inside, and neither hidden there nor private.
    fn file(&self, name: &Path) -> io::Result<Option<File>> {
        let Some(path) = there(self.path.join(name).canonicalize())? else {
            return Ok(None);
        };
        let Ok(inside) = path.strip_prefix(&self.path) else {
            return Ok(None);
        };
        let mut names = inside.iter().map(OsStr::to_string_lossy).enumerate();
        if names.any(|(depth, name)| is_hidden(depth, &name)) {
            return Ok(None);
        }
        if self.private.iter().any(|private| path.starts_with(private)) {
            return Ok(None);
        }
        // To open a pipe would wait for whoever writes into it.
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        let Some(file) = there(options.open(&path))? else {
            return Ok(None);
        };
        Ok((file.metadata()?.is_file() && is_at(&file, &path)?).then_some(file))
    }
}

/// Whether a file was opened where it was looked at. A link may have been put there meanwhile.
#[cfg(target_os = "linux")]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok(opened == path)
}

#[cfg(not(target_os = "linux"))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

fn kept(file: File, name: &Path, coding: Option<ContentEncoding>) -> io::Result<Kept> {
    let mut file = NamedFile::from_file(file, name)?
        .set_content_type(kind(name))
        .disable_content_disposition();
    if let Some(coding) = coding {
        file = file.set_content_encoding(coding);
    }
    Ok(Kept {
        may_be_kept_for_good: caching::is_hashed(name) && caching::is_settled(file.modified()),
        file,
    })
}

/// Tells what is not there for us from a disk that fails.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(it) => Ok(Some(it)),
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Ok(None),
        Err(error) => match error.kind() {
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::InvalidFilename => Ok(None),
            _ => Err(error),
        },
    }
}

fn extension(name: &Path) -> &str {
    let extension = name.extension();
    extension.and_then(|it| it.to_str()).unwrap_or_default()
}

/// Whether the name ends as those of files do. `/users/jane.doe` may be a page.
fn has_type(name: &Path) -> bool {
    file_extension_to_mime(extension(name)) != mime::APPLICATION_OCTET_STREAM
}

/// Text is UTF-8, as every bundler writes it. JavaScript is text (RFC 9239).
fn kind(name: &Path) -> Mime {
    let mut kind = file_extension_to_mime(extension(name));
    if kind.subtype() == mime::JAVASCRIPT {
        kind = mime::TEXT_JAVASCRIPT;
    }
    let is_text = kind.type_() == mime::TEXT && kind.get_param(mime::CHARSET).is_none();
    let with_charset = is_text.then(|| format!("{kind}; charset=utf-8").parse().ok());
    with_charset.flatten().unwrap_or(kind)
}
