//! `next`: where to go after the login, when that is a place of ours.

use percent_encoding::percent_decode_str;
use url::{Position, Url};

const MAX: usize = 2048;
/// No honest path is encoded even twice; what is encoded more often than this is refused unread.
const DECODINGS: usize = 8;

/// The path, query and fragment of `next`, if a browser would stay on `site` with it; `None` otherwise.
///
/// It is parsed as browsers parse it (WHATWG URL), and what came out is checked again: `/..//evil.com` turns into
/// `//evil.com` on the way. An app or a proxy may also decode the path before it goes there, so that must be safe too.
/// The query may hold anything encoded: `/notes?text=a%0ab` is an honest place.
pub fn safe_next(site: &Url, next: &str) -> Option<String> {
    if next.len() > MAX || next.contains('\\') || next.contains(char::is_control) {
        return None;
    }
    let url = place_on(site, next)?;
    let kept = &url[Position::BeforePath..];
    // Encoding may have made it three times as long.
    (kept.len() <= MAX && stays_when_decoded(site, url.path())).then(|| kept.to_owned())
}

/// Where a browser on `site` goes with `text`, if that is on `site` too.
fn place_on(site: &Url, text: &str) -> Option<Url> {
    let url = starts_with_one_slash(text).then(|| site.join(text).ok())??;
    let same_place =
        url.origin() == site.origin() && url.username().is_empty() && url.password().is_none();
    (same_place && starts_with_one_slash(url.path())).then_some(url)
}

/// Control characters are refused anywhere in the path: browsers drop tabs and line ends before they parse, so that
/// `/%09/evil.com` is `//evil.com` to whoever decodes it first.
fn stays_when_decoded(site: &Url, path: &str) -> bool {
    let mut path = path.to_owned();
    for _ in 0..DECODINGS {
        let decoded = percent_decode_str(&path).decode_utf8_lossy();
        if *decoded == path {
            return true;
        }
        if decoded.contains(char::is_control) || place_on(site, &decoded).is_none() {
            return false;
        }
        path = decoded.into_owned();
    }
    false
}

/// One `/`, and no second one behind it; browsers take `\` for `/`.
fn starts_with_one_slash(path: &str) -> bool {
    path.strip_prefix('/')
        .is_some_and(|rest| !rest.starts_with(['/', '\\']))
}

/// Below `/api`, where no person wants to go, however the path is encoded.
pub fn is_api(path: &str) -> bool {
    let path = percent_decode_str(path).decode_utf8_lossy();
    path.split(['?', '#', '/']).nth(1) == Some("api")
}
