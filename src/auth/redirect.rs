//! `next`: where to go after the login, when that is a place of ours.

use url::Url;

const MAX: usize = 2048;

/// The path, query and fragment of `next`, if a browser would stay on `site` with it; `None` otherwise.
///
/// It is parsed as browsers parse it (WHATWG URL), and what came out is checked again: `/..//evil.com` turns into
/// `//evil.com` on the way.
pub fn safe_next(site: &Url, next: &str) -> Option<String> {
    if next.len() > MAX
        || !starts_with_one_slash(next)
        || next.chars().any(|c| c == '\\' || c.is_control())
    {
        return None;
    }
    let url = site.join(next).ok()?;
    let same_place =
        url.origin() == site.origin() && url.username().is_empty() && url.password().is_none();
    let path = &url[url::Position::BeforePath..];
    // Encoding may have made it three times as long.
    let kept = same_place && starts_with_one_slash(path) && path.len() <= MAX;
    kept.then(|| path.to_owned())
}

/// One `/`, and no second one or `\` behind it, not even percent-encoded: the app may decode before it goes there.
fn starts_with_one_slash(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let rest = rest.to_ascii_lowercase();
    !["/", "\\", "%2f", "%5c"]
        .iter()
        .any(|bad| rest.starts_with(bad))
}
