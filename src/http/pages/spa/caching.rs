//! Which files a browser may keep for good: those with a hash of their content in their names.
//!
//! A wrong guess keeps a stale file in browsers for a year, and a missed one costs a question with a short answer. So in
//! doubt a file is not kept.

use std::path::Path;
use std::time::{Duration, SystemTime};

/// Folders in which a framework puts nothing but what it has named so: SvelteKit, Next.
const HASHED_FOLDERS: [&str; 2] = ["_app/immutable", "_next/static"];
/// Folders into which bundlers write what they have named: Vite and many others, webpack, Astro.
const BUNDLES: [&str; 3] = ["assets", "static", "_astro"];
/// Rarely in a bundler's folder but by its hand, unlike images.
const CODE: [&str; 3] = ["js", "mjs", "css"];
/// What is written into a directory is whole after this time, if it ever stops growing. Part of a file must not be kept.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

pub fn is_hashed(name: &Path) -> bool {
    let (Some(folder), Some(file)) = (name.parent(), name.file_name().and_then(|it| it.to_str()))
    else {
        return false;
    };
    let (stem, extension) = file.split_once('.').unwrap_or((file, ""));
    if file.ends_with(".html") {
        return false;
    }
    let is_code = CODE
        .iter()
        .any(|code| extension.split('.').next() == Some(code));
    let is_bundle = folder
        .iter()
        .any(|part| BUNDLES.iter().any(|bundle| part == *bundle));
    HASHED_FOLDERS
        .iter()
        .any(|hashed| folder.starts_with(hashed))
        || file.split(['.', '-', '_']).any(is_hex_hash)
        || is_code && ends_in_base32(stem)
        || is_bundle && ends_in_base64(file, if is_code { 3 } else { 4 })
}

/// Whether nothing has written to the file for a while.
pub fn is_settled(modified: Option<SystemTime>) -> bool {
    let age = modified.and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| age >= SETTLED_AFTER)
}

/// `main.4f3a2b1c.js`, `main-0d5e2b9a8f1c3d4e.js`: webpack, Parcel, Next. Not `20240131`, `20240131a` or `deadbeef`.
fn is_hex_hash(part: &str) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let bytes = part.as_bytes();
    bytes.len() >= 8
        && bytes
            .iter()
            .all(|it| is_digit(it) || (b'a'..=b'f').contains(it))
        && bytes.iter().any(is_digit)
        && !bytes[..8].iter().all(is_digit)
}

/// `main-3GOYUBHV.js`: Angular, esbuild.
fn ends_in_base32(stem: &str) -> bool {
    let hash = stem.rsplit_once('-').map_or("", |(_, hash)| hash);
    let is_of_it = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    hash.len() == 8 && hash.bytes().all(is_of_it)
}

/// `index-BcA1x2_z.js`, `index.DQW0g7cA.css`: Vite, Rollup, Astro. Words change less often between capitals, small
/// letters and digits: `hero-Portrait.png`, `logo-WhiteBig.svg`, `photo-iPhone12.jpg`.
fn ends_in_base64(file: &str, changes: usize) -> bool {
    let file = file.strip_suffix(".map").unwrap_or(file);
    let Some((stem, _)) = file.rsplit_once('.') else {
        return false;
    };
    let Some((before, hash)) = stem.split_at_checked(stem.len().saturating_sub(8)) else {
        return false;
    };
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !before.ends_with(['-', '.']) || !hash.bytes().all(is_of_it) {
        return false;
    }
    let kinds: Vec<_> = hash.bytes().filter_map(kind).collect();
    let changed = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    changed >= changes && kinds.contains(&Kind::Capital) && kinds.contains(&Kind::Small)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Capital,
    Small,
    Digit,
}

fn kind(byte: u8) -> Option<Kind> {
    match byte {
        b'A'..=b'Z' => Some(Kind::Capital),
        b'a'..=b'z' => Some(Kind::Small),
        b'0'..=b'9' => Some(Kind::Digit),
        _ => None,
    }
}
