//! Which file of a directory a path may mean. This knows names only; what is there, [`super::find`] says.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// Where well-known files are (RFC 8615). No other name that begins with a dot is served.
const WELL_KNOWN: &str = ".well-known";

#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// Relative to the directory, with plain names only.
    File(PathBuf),
    /// The same, with a slash at the end, or the directory itself.
    Folder(PathBuf),
    /// No file can have this name, but a page of the app may.
    Page,
    /// A hidden file, a way up, or a name for no screen.
    Nowhere,
}

pub fn is_hidden(depth: usize, name: &str) -> bool {
    name.starts_with('.') && !(depth == 0 && name == WELL_KNOWN)
}

impl Place {
    /// Of the path of a request, as it was sent. Each name is decoded once, and on its own, so an encoded slash never
    /// makes two names of one.
    pub fn of(path: &str) -> Self {
        let Some(path) = path.strip_prefix('/') else {
            return Self::Nowhere;
        };
        let (names, is_folder) = match path.strip_suffix('/') {
            Some(names) => (names, true),
            None => (path, path.is_empty()),
        };
        let mut place = PathBuf::new();
        let mut is_file = true;
        for (depth, name) in names.split('/').enumerate().filter(|_| !path.is_empty()) {
            let Ok(name) = percent_decode_str(name).decode_utf8() else {
                return Self::Nowhere;
            };
            if is_hidden(depth, &name) || name.contains(char::is_control) {
                return Self::Nowhere;
            }
            is_file &= !name.is_empty() && !name.contains(['/', '\\']);
            place.push(&*name);
        }
        match (is_file, is_folder) {
            (false, _) => Self::Page,
            (true, true) => Self::Folder(place),
            (true, false) => Self::File(place),
        }
    }
}
