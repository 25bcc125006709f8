//! Single values and their parsers: times, origins, networks, argon2 parameters.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use argon2::Params;
use argon2::password_hash::phc::ParamsString;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, ValueEnum};
use ipnet::IpNet;
use url::{ParseError, Url};

use crate::auth::hashing::phc::{MAX_MEMORY_KIB, MAX_PASSES};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

/// The number of cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// `30m`, `12h`, `30days`
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let time =
        humantime::parse_duration(text).map_err(|e| format!("{e}; write 30m, 12h or 30days"))?;
    if time.is_zero() || time > Duration::from_secs(10 * 366 * 86_400) {
        return Err("must be more than zero and at most ten years".into());
    }
    Ok(time)
}

/// The same, or `0`.
pub fn parse_time_or_never(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        _ => parse_time(text).map_err(|why| format!("{why}, or 0 for never")),
    }
}

/// A name that fits into a heading and a mail's header.
pub fn parse_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let length = name.chars().count();
    if !(1..=64).contains(&length) || name.chars().any(char::is_control) {
        return Err("write 1 to 64 characters, without control characters".into());
    }
    Ok(name.to_owned())
}

/// What a file holds in place of a setting, without the white space around it.
pub fn read_file(setting: &str, file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("{setting}: {}", file.display()))?;
    Ok(text.trim().to_owned())
}

/// Scheme, host and port of a site. A path would have no effect, and passwords do not belong in settings that are
/// logged.
pub fn parse_site(text: &str) -> Result<Url, String> {
    let example = meant(text).unwrap_or_else(|| "https://login.example".to_owned());
    let wanted = format!("write scheme, host and port only, such as {example}");
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => wanted.clone(),
        error => format!("{error}; {wanted}"),
    })?;
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !bare {
        return Err(wanted);
    }
    Ok(url)
}

/// What somebody meant who wrote no scheme, or copied the address of a page. `None` if it may hold a password.
fn meant(text: &str) -> Option<String> {
    if text.contains(['@', '?', '#', '\\']) {
        return None;
    }
    let full = match text.contains("://") {
        true => text.to_owned(),
        // A port alone.
        false if text.parse::<u16>().is_ok() => format!("http://localhost:{text}"),
        false => {
            let host = text.split([':', '/']).next().unwrap_or_default();
            let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok();
            let scheme = if is_here { "http" } else { "https" };
            format!("{scheme}://{text}")
        }
    };
    let url = Url::parse(&full).ok()?;
    let is_site = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    is_site.then(|| url.origin().ascii_serialization())
}

/// The same, where somebody types the address of a page, perhaps without a scheme.
pub fn parse_page(text: &str) -> Result<Url, String> {
    if text == "null" {
        return Err(NULL.into());
    }
    let whole = meant(text).filter(|_| !text.contains("://"));
    parse_site(whole.as_deref().unwrap_or(text))
}

const NULL: &str =
    "a page in a file, or in a sandbox, has no origin of its own: serve it over http";

/// An origin, serialized as browsers send it.
pub fn parse_origin(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err(
            "wildcards would let any page act as the logged-in user; list each origin".into(),
        );
    }
    if text.is_empty() {
        return Err("is empty, or has a comma too many".into());
    }
    if text == "null" {
        return Err(NULL.into());
    }
    if text.trim().contains(char::is_whitespace) {
        return Err("separate several origins with commas".into());
    }
    parse_site(text).map(|url| url.origin().ascii_serialization())
}

/// A parser whose errors do not repeat the value, unlike clap's own: a URL may contain a password.
#[derive(Clone)]
pub struct Unrepeated<T>(pub fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Unrepeated<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let parsed = match value.to_str() {
            Some(text) => (self.0)(text),
            None => Err("must be UTF-8".to_owned()),
        };
        let name = argument.map(ToString::to_string).unwrap_or_default();
        parsed.map_err(|why| {
            let text = format!("invalid value for '{name}': {why}");
            command.clone().error(ErrorKind::ValueValidation, text)
        })
    }
}

/// `127.0.0.1:8080`. A port alone, or after localhost, is unambiguous too.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").unwrap_or(text).parse();
    if let Ok(port) = port {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| {
        if let Some(Ok(port)) = text.strip_prefix(':').map(str::parse::<u16>) {
            return format!(
                "write 127.0.0.1:{port} for this machine only, or 0.0.0.0:{port} to let others in"
            );
        }
        match text.parse::<IpAddr>() {
            Ok(ip) => format!("add a port: {}", SocketAddr::new(ip, 8080)),
            Err(_) => {
                "write an IP address and a port up to 65535, such as 127.0.0.1:8080".to_owned()
            }
        }
    })
}

/// `10.0.0.0/8`, or a single address
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "write an address or a network, such as 10.0.0.0/8".into())
}

/// `m=19456,t=2,p=1`
pub fn parse_argon2(text: &str) -> Result<Params, String> {
    let wanted = "write m=19456,t=2,p=1";
    let parts: ParamsString = text.replace(' ', "").parse().map_err(|_| wanted)?;
    if parts.iter().count() != 3
        || ["m", "t", "p"]
            .iter()
            .any(|name| parts.get(*name).is_none())
    {
        return Err(wanted.into());
    }
    let params = Params::try_from(&parts).map_err(|error| format!("{error}; {wanted}"))?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory > MAX_MEMORY_KIB || passes > MAX_PASSES {
        return Err(format!(
            "too costly: Latchkey computes no hash above m={MAX_MEMORY_KIB} or t={MAX_PASSES}, not even a stored one"
        ));
    }
    if lanes != 1 {
        return Err("p must be 1: each hash runs on one thread".into());
    }
    // OWASP lists these as equally strong. Weaker ones are refused.
    let accepted = [
        (47_104, 1),
        (19_456, 2),
        (12_288, 3),
        (9_216, 4),
        (7_168, 5),
    ];
    if !accepted.iter().any(|(m, t)| memory >= *m && passes >= *t) {
        return Err(
            "weaker than OWASP's minimum, such as m=19456,t=2,p=1 or m=12288,t=3,p=1".into(),
        );
    }
    Ok(params)
}
