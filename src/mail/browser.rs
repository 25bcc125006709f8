//! Which browser logged in, as a mail may say it.

use std::fmt;

/// In this order: many browsers also name those that they descend from.
const FAMILIES: &[(&str, &str)] = &[
    ("SamsungBrowser/", "Samsung Internet"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-requests/", "python-requests"),
];

/// In this order: an iPhone says `like Mac OS X`, and Android says `Linux`. An iPad may claim to be a Mac.
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// A browser and its system, each from a closed list. Nothing else from the header can reach a mail, where a stranger's
/// words would look like ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Browser {
    family: Option<&'static str>,
    system: Option<&'static str>,
}

impl Browser {
    pub const UNKNOWN: Self = Self {
        family: None,
        system: None,
    };
}

/// Recognizes what a `User-Agent` header names. Anyone can claim to be any browser.
pub fn browser(user_agent: Option<&str>) -> Browser {
    let header = user_agent.unwrap_or_default();
    let find = |list: &[(&str, &'static str)]| {
        let named = list.iter().find(|(token, _)| header.contains(token));
        named.map(|(_, name)| *name)
    };
    Browser {
        family: find(FAMILIES),
        system: find(SYSTEMS),
    }
}

impl fmt::Display for Browser {
    /// `Firefox, Linux`, which reads well in any language. Empty when nothing is known: the template has the words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.family, self.system) {
            (Some(family), Some(system)) => write!(f, "{family}, {system}"),
            (family, system) => f.write_str(family.or(system).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_by_family_and_system() {
        for (header, name) in [
            (
                "(X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox, Linux",
            ),
            (
                "(Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
                "Edge, Windows",
            ),
            (
                "(X11; CrOS x86_64 14541.0.0) Chrome/140.0 Safari/537.36",
                "Chrome, ChromeOS",
            ),
            (
                "(Macintosh; Intel Mac OS X 10_15_7) Version/18.5 Safari/605.1.15",
                "Safari, macOS",
            ),
            (
                "(iPhone; CPU iPhone OS 18_5 like Mac OS X) CriOS/140.0 Mobile/15E148 Safari/604.1",
                "Chrome, iPhone",
            ),
            (
                "(iPad; CPU OS 18_5 like Mac OS X) Version/18.5 Safari/604.1",
                "Safari, iPad",
            ),
            (
                "(Linux; Android 10; K) SamsungBrowser/28.0 Chrome/130.0 Safari/537.36",
                "Samsung Internet, Android",
            ),
            (
                "(X11; Linux x86_64) Chrome/140.0 Safari/537.36 OPR/124.0",
                "Opera, Linux",
            ),
        ] {
            assert_eq!(browser(Some(header)).to_string(), name, "{header}");
        }
        assert_eq!(browser(Some("curl/8.14.1")).to_string(), "curl");
        assert_eq!(browser(None), Browser::UNKNOWN);
    }

    #[test]
    fn nothing_of_a_header_is_quoted() {
        for (header, name) in [
            ("x\r\nBcc: all@example.com", ""),
            (
                "<a href=https://evil.example>Firefox/1</a> on Linux",
                "Firefox, Linux",
            ),
            ("https://evil.example/curl/", "curl"),
            ("www.evil.example", ""),
            ("", ""),
        ] {
            assert_eq!(browser(Some(header)).to_string(), name, "{header}");
        }
    }
}
