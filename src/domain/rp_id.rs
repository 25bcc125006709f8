//! The domain that passkeys belong to, WebAuthn's "RP ID".

use url::{Host, Url};

/// A domain, in the form in which browsers hash it: lower case, ASCII, without a dot at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpId(String);

impl RpId {
    /// Refuses whatever is no domain, with a text that says what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        match Host::parse(text) {
            Ok(Host::Domain(name)) if name.chars().all(is_plain) && !name.ends_with('.') => {
                Ok(Self(name))
            }
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) => {
                Err("passkeys belong to a domain, and this is an IP address".into())
            }
            _ => Err("write a domain alone, such as login.example".into()),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a page of this origin may use passkeys of this domain: its host is the domain, or lies below it
    /// (WebAuthn 5.1.3 step 8). `evil-app.example` does not lie below `app.example`.
    pub fn fits(&self, origin: &Url) -> bool {
        let Some(Host::Domain(host)) = origin.host() else {
            return false;
        };
        let above = host.strip_suffix(self.as_str());
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    }

    /// Whether strangers may have names below this domain, as with `co.uk` and `github.io`. Browsers let no page use
    /// passkeys that belong to it, except one at exactly this host.
    pub fn is_public_suffix(&self) -> bool {
        let is_suffix = psl::domain_str(self.as_str()).is_none();
        is_suffix && self.as_str() != "localhost"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_domain_is_one() {
        for (text, domain) in [
            ("login.example", "login.example"),
            ("LOGIN.Example", "login.example"),
            ("localhost", "localhost"),
            ("münchen.example", "xn--mnchen-3ya.example"),
        ] {
            assert_eq!(RpId::parse(text).unwrap().as_str(), domain);
        }
        for text in [
            "",
            "https://login.example",
            "login.example:443",
            "login.example/",
            "login.example.",
            "*.example",
            "susan@example",
            "127.0.0.1",
            "[::1]",
            "0x7f.1",
        ] {
            assert!(RpId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_fits_its_host_and_what_lies_below() {
        let fits = |domain: &str, origin: &str| {
            let domain = RpId::parse(domain).unwrap();
            domain.fits(&Url::parse(origin).unwrap())
        };
        assert!(fits("app.example", "https://app.example"));
        assert!(fits("app.example", "https://login.app.example:8443"));
        assert!(fits("localhost", "http://localhost:5173"));
        for origin in [
            "https://evil-app.example",
            "https://example",
            "https://app.example.evil.example",
            "https://127.0.0.1",
            "https://[::1]",
        ] {
            assert!(!fits("app.example", origin), "{origin}");
        }
    }

    #[test]
    fn public_suffixes_are_told_from_domains_that_somebody_has() {
        let is_public = |domain: &str| RpId::parse(domain).unwrap().is_public_suffix();
        for suffix in ["com", "co.uk", "github.io", "intranet"] {
            assert!(is_public(suffix), "{suffix}");
        }
        for domain in [
            "example.com",
            "example.co.uk",
            "susan.github.io",
            "localhost",
        ] {
            assert!(!is_public(domain), "{domain}");
        }
    }
}
