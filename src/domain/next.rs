//! `next`: where to go after the login, if that is a page of this site.

use percent_encoding::percent_decode_str;
use url::{Position, Url};

const MAX: usize = 2048;
/// No honest path is encoded even twice. One encoded more often than this is refused.
const DECODINGS: usize = 8;

/// The path, query and fragment of `next` if a browser would stay on `site`; `None` otherwise.
///
/// Parses it as browsers do (WHATWG URL) and checks the result again, because `/..//evil.com` becomes `//evil.com` in
/// parsing. An app or a proxy may also decode the path before following it, so the decoded path must be safe too. The
/// query may contain anything encoded: `/notes?text=a%0ab` is an honest URL.
pub fn safe_next(site: &Url, next: &str) -> Option<String> {
    if next.len() > MAX || next.contains('\\') || next.contains(char::is_control) {
        return None;
    }
    let url = place_on(site, next)?;
    let kept = &url[Position::BeforePath..];
    // Encoding may have tripled its length.
    (kept.len() <= MAX && stays_when_decoded(site, url.path())).then(|| kept.to_owned())
}

/// Where `text` takes a browser on `site`, if it stays on `site`.
fn place_on(site: &Url, text: &str) -> Option<Url> {
    let url = starts_with_one_slash(text).then(|| site.join(text).ok())??;
    let same_place =
        url.origin() == site.origin() && url.username().is_empty() && url.password().is_none();
    (same_place && starts_with_one_slash(url.path())).then_some(url)
}

/// Refuses control characters anywhere in the path: browsers drop tabs and line ends before parsing, so `/%09/evil.com`
/// becomes `//evil.com` for whoever decodes it first.
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

/// One `/` that no second one follows. Browsers treat `\` like `/`.
fn starts_with_one_slash(path: &str) -> bool {
    path.strip_prefix('/')
        .is_some_and(|rest| !rest.starts_with(['/', '\\']))
}

/// Whether a path is below `/api`, where no person wants to go, however it is encoded.
pub fn is_api(path: &str) -> bool {
    begins_with(path, &["api"])
}

/// Whether Latchkey keeps a path for itself, so that no page of an app can be there.
pub fn is_reserved(path: &str) -> bool {
    begins_with(path, &["api", "dev", "health", "swagger-ui"])
}

fn begins_with(path: &str, names: &[&str]) -> bool {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let first = path.split(['?', '#', '/']).nth(1);
    first.is_some_and(|first| names.contains(&first))
}
