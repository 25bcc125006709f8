//! What an authenticator app reads to learn a secret: an address, shown as a QR code.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qrcodegen::{QrCode, QrCodeEcc};

/// All but the unreserved characters of RFC 3986 section 2.3. A space is `%20`: apps show a `+` as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Longer names are cut, so that the longest address fits into a QR code.
const MAX_APP_NAME: usize = 64;
const MAX_USERNAME: usize = 32;
/// Modules of white around the code, without which scanners miss it (ISO/IEC 18004).
const QUIET_ZONE: i32 = 4;

/// `otpauth://totp/App:user?secret=…&issuer=App`
///
/// It says neither algorithm, digits nor period: ours are the defaults, and apps differ in what they make of others.
/// See <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>.
pub struct OtpauthUri(String);

impl OtpauthUri {
    pub fn new(secret: &str, app_name: &str, username: &str) -> Self {
        let app = label(app_name, MAX_APP_NAME);
        let user = label(username, MAX_USERNAME);
        Self(format!(
            "otpauth://totp/{app}:{user}?secret={secret}&issuer={app}"
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An SVG element without styles or a fixed size. It brings its own white background, to be read in a dark page.
    #[expect(clippy::expect_used, reason = "the names are cut")]
    pub fn qr_svg(&self) -> String {
        let code = QrCode::encode_text(&self.0, QrCodeEcc::Medium).expect("an address that fits");
        let side = code.size() + 2 * QUIET_ZONE;
        let path = path(&code);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
             aria-label=\"QR code for an authenticator app\" shape-rendering=\"crispEdges\">\
             <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\"/></svg>"
        )
    }
}

/// A colon ends the app's name, escaped or not, so names have none.
fn label(name: &str, max: usize) -> String {
    let parts = name.split(':').map(str::trim);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    let short: String = parts.join(" ").chars().take(max).collect();
    utf8_percent_encode(&short, ESCAPED).to_string()
}

/// Each run of dark modules in a row as a rectangle.
fn path(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|x| code.get_module(*x, y));
            let length = i32::try_from(run.count()).unwrap_or_default();
            if length > 0 {
                let (left, top) = (x + QUIET_ZONE, y + QUIET_ZONE);
                path += &format!("M{left} {top}h{length}v1h-{length}z");
            }
            x += length + 1;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn uri(app_name: &str, username: &str) -> OtpauthUri {
        OtpauthUri::new(SECRET, app_name, username)
    }

    #[test]
    fn the_address_is_what_apps_read() {
        for (app_name, username, label, issuer) in [
            ("Notes", "susan", "Notes:susan", "Notes"),
            (
                "login.example",
                "su.s-a_n",
                "login.example:su.s-a_n",
                "login.example",
            ),
            (
                "Lock & Key+",
                "susan",
                "Lock%20%26%20Key%2B:susan",
                "Lock%20%26%20Key%2B",
            ),
            (
                "Caf\u{e9}?#/%",
                "susan",
                "Caf%C3%A9%3F%23%2F%25:susan",
                "Caf%C3%A9%3F%23%2F%25",
            ),
            ("Acme: Notes", "susan", "Acme%20Notes:susan", "Acme%20Notes"),
            (
                "[::1]:8080",
                "a:b",
                "%5B%201%5D%208080:a%20b",
                "%5B%201%5D%208080",
            ),
        ] {
            let expected = format!("otpauth://totp/{label}?secret={SECRET}&issuer={issuer}");
            assert_eq!(uri(app_name, username).as_str(), expected, "{app_name}");
        }
    }

    #[test]
    fn the_parts_of_the_address_are_read_back_by_a_parser_of_urls() {
        let name = "\u{5bc6}\u{7801} <&> \"Lock\" 100%";
        let uri = url::Url::parse(uri(name, "susan").as_str()).unwrap();
        let parts: Vec<_> = uri.query_pairs().collect();
        assert_eq!(
            parts,
            [
                ("secret".into(), SECRET.into()),
                ("issuer".into(), name.into())
            ]
        );
        let path = percent_encoding::percent_decode_str(uri.path());
        assert_eq!(path.decode_utf8().unwrap(), format!("/{name}:susan"));
        assert_eq!((uri.scheme(), uri.host_str()), ("otpauth", Some("totp")));
    }

    /// The side of the picture and its dark places, painted from the path alone.
    fn painted(svg: &str) -> (i32, HashSet<(i32, i32)>) {
        let between = |from: &str, to: &str| {
            let rest = svg.split_once(from).unwrap().1;
            rest.split_once(to).unwrap().0.to_owned()
        };
        let mut dark = HashSet::new();
        for run in between(" d=\"M", "z\"").split("zM") {
            let (at, length) = run.split_once('h').unwrap();
            let (x, y) = at.split_once(' ').unwrap();
            let (length, back) = length.split_once("v1h-").unwrap();
            assert_eq!(length, back);
            let [x, y, length] = [x, y, length].map(|number| number.parse::<i32>().unwrap());
            for x in x..x + length {
                assert!(dark.insert((x, y)), "{x} {y} twice");
            }
        }
        let side = between("viewBox=\"0 0 ", " ").parse().unwrap();
        (side, dark)
    }

    #[test]
    fn the_picture_is_the_code() {
        for name in ["Notes", "Lock & Key", &"\u{1f511}".repeat(64)] {
            let uri = uri(name, "susan");
            let code = QrCode::encode_text(uri.as_str(), QrCodeEcc::Medium).unwrap();
            assert!(code.error_correction_level() >= QrCodeEcc::Medium);
            let (side, dark) = painted(&uri.qr_svg());
            assert_eq!(side, code.size() + 8);
            for (x, y) in (0..side).flat_map(|x| (0..side).map(move |y| (x, y))) {
                let module = code.get_module(x - 4, y - 4);
                assert_eq!(dark.contains(&(x, y)), module, "{name}: {x} {y}");
            }
        }
    }

    /// A page's policy forbids inline styles, screen readers need a name, and a dark page must not swallow the code.
    #[test]
    fn the_picture_can_stand_in_any_page() {
        let svg = uri("<script>\"'&", "susan").qr_svg();
        let side = painted(&svg).0;
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="));
        assert!(svg.contains(" role=\"img\" aria-label=\"QR code for an authenticator app\""));
        let white = format!("><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path ");
        assert!(svg.contains(&white), "{svg}");
        for never in ["style", "script", "px", "href", SECRET] {
            assert!(!svg.contains(never), "{never}");
        }
        let tags: Vec<_> = svg
            .match_indices('<')
            .map(|(at, _)| &svg[at..at + 5])
            .collect();
        assert_eq!(tags, ["<svg ", "<rect", "<path", "</svg"]);
    }

    #[test]
    fn the_longest_names_fit() {
        let longest = "\u{1f511}".repeat(1000);
        let uri = uri(&longest, &longest);
        assert!(uri.qr_svg().len() > 10_000);
        assert_eq!(uri.as_str().matches("%F0%9F%94%91").count(), 64 + 32 + 64);
    }
}
