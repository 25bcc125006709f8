//! `LATCHKEY_SMTP_URL`: which mail server, and how its line is secured.

use std::path::PathBuf;

use url::{Host, Url};

use crate::domain::site::is_this_machine;

/// How the line is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314 3.3).
    Implicit,
    /// STARTTLS, or no mail.
    Required,
    /// STARTTLS if the server offers it. Whoever is on the line can take that offer away.
    Opportunistic,
    Plain,
}

/// A mail server.
#[derive(Clone)]
pub struct SmtpUrl {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub login: Option<(String, String)>,
    /// A file with the certificate authority to trust, in place of the system's.
    pub ca: Option<PathBuf>,
}

const WANTED: &str = "write smtps://user:password@host, smtp://user:password@host:587?tls=required, or smtp://localhost:25";

impl SmtpUrl {
    /// The errors do not repeat the URL, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("{error}; {WANTED}"))?;
        let (tls, ca) = parameters(&url)?;
        let security = match (url.scheme(), tls.as_deref()) {
            ("smtps", None) => Security::Implicit,
            ("smtp", Some("required")) => Security::Required,
            ("smtp", Some("opportunistic")) => Security::Opportunistic,
            ("smtp", None) => Security::Plain,
            ("smtps", Some(_)) => return Err("smtps:// is TLS already: leave out tls=".into()),
            ("smtp", Some(_)) => return Err("tls is required or opportunistic".into()),
            _ => return Err(WANTED.into()),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(format!("there is a path or a #; {WANTED}"));
        }
        let host = host(&url).ok_or_else(|| format!("the host is missing; {WANTED}"))?;
        let login = login(&url)?;
        let safe =
            matches!(security, Security::Implicit | Security::Required) || is_near(&url, &host);
        if login.is_some() && !safe {
            return Err(
                "the password would travel unencrypted, or could be made to: use smtps:// or ?tls=required".into(),
            );
        }
        let usual = match security {
            Security::Implicit => 465,
            Security::Required | Security::Opportunistic => 587,
            Security::Plain => 25,
        };
        Ok(Self {
            host,
            port: url.port().unwrap_or(usual),
            security,
            login,
            ca,
        })
    }
}

fn host(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) if !name.is_empty() => Some(name.to_owned()),
        Host::Domain(_) => None,
        Host::Ipv4(ip) => Some(ip.to_string()),
        Host::Ipv6(ip) => Some(ip.to_string()),
    }
}

/// Hosts of a scheme that the URL standard does not know stay text, addresses too.
fn is_near(url: &Url, host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    is_this_machine(url) || address.is_ok_and(|address| address.is_loopback())
}

fn login(url: &Url) -> Result<Option<(String, String)>, String> {
    let decoded = |text: &str| {
        let bytes = percent_encoding::percent_decode_str(text);
        let text = bytes
            .decode_utf8()
            .map_err(|_| "the login is not UTF-8".to_owned());
        text.map(std::borrow::Cow::into_owned)
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => {
            Ok(Some((decoded(user)?, decoded(password)?)))
        }
        _ => Err("a login has a user and a password: user:password@host".into()),
    }
}

fn parameters(url: &Url) -> Result<(Option<String>, Option<PathBuf>), String> {
    let (mut tls, mut ca) = (None, None);
    for (name, value) in url.query_pairs() {
        match &*name {
            "tls" => tls = Some(value.into_owned()),
            "ca" => ca = Some(PathBuf::from(value.into_owned())),
            _ => return Err("there is an unknown parameter: tls and ca can be set".into()),
        }
    }
    Ok((tls, ca))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_how_the_line_is_secured() {
        let parsed = |text| {
            let url = SmtpUrl::parse(text).unwrap();
            (url.host, url.port, url.security, url.login)
        };
        let login = || Some(("u".to_owned(), "p@ss".to_owned()));
        let host = || "mx.example".to_owned();
        for (text, expected) in [
            (
                "smtps://u:p%40ss@mx.example",
                (host(), 465, Security::Implicit, login()),
            ),
            (
                "smtp://u:p%40ss@mx.example:2525?tls=required",
                (host(), 2525, Security::Required, login()),
            ),
            (
                "smtp://mx.example?tls=required",
                (host(), 587, Security::Required, None),
            ),
            ("smtp://mx.example", (host(), 25, Security::Plain, None)),
            (
                "smtp://mx.example?tls=opportunistic",
                (host(), 587, Security::Opportunistic, None),
            ),
            (
                "smtp://u:p%40ss@127.0.0.1:1025",
                ("127.0.0.1".to_owned(), 1025, Security::Plain, login()),
            ),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn what_could_leak_the_password_is_refused_without_repeating_it() {
        for bad in [
            "smtp://u:secret@mx.example",
            "smtp://u:secret@mx.example?tls=opportunistic",
            "smtp://u:secret@mx.example?tls=require",
            "smtps://u:secret@mx.example?tls=required",
            "smtp+starttls://u:secret@mx.example",
            "u:secret@mx.example:25",
            "smtps://u@mx.example",
            "smtps://:secret@mx.example",
            "smtps://u:secret@",
            "smtps://u:secret@mx.example/path",
            "smtps://u:secret@mx.example?timeout=5",
            "https://u:secret@mx.example",
            "",
        ] {
            let refused = SmtpUrl::parse(bad)
                .err()
                .unwrap_or_else(|| panic!("{bad} passes"));
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
