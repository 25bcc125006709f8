//! `DATABASE_URL`: its parts, or why it cannot be used.

use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::{SslNegotiation, TargetSessionAttrs};

use super::bad_url::{BadUrl, ENCODE, bad, unreadable};
use super::sslmode::SslMode;

/// The parts of a `DATABASE_URL`. tokio-postgres does not support all of libpq's `sslmode`, and tries several hosts one
/// after the other, each for the whole time.
#[derive(Debug)]
pub struct DatabaseUrl {
    /// One for each host.
    pub hosts: Vec<Config>,
    pub mode: SslMode,
    /// The file of `sslrootcert`.
    pub root: Option<PathBuf>,
}

/// The parameters of a `DATABASE_URL`.
struct Parameters<'a> {
    mode: SslMode,
    root: Option<PathBuf>,
    hosts: Vec<String>,
    ports: Vec<String>,
    target: TargetSessionAttrs,
    /// Those that tokio-postgres understands.
    others: Vec<&'a str>,
}

impl DatabaseUrl {
    /// `postgres://user:password@host:port,host:port/database?sslmode=…&sslrootcert=…`
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let rest = base
            .strip_prefix("postgres://")
            .or_else(|| base.strip_prefix("postgresql://"))
            .ok_or_else(|| bad("expected postgres://user:password@host/database"))?;
        let (authority, database) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if database.contains('@') || query.contains('@') || authority.matches('@').count() > 1 {
            return Err(bad(ENCODE));
        }
        let parameters = Parameters::parse(query)?;
        let (user, named) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let others = parameters.others.join("&");
        let of_host = |host: &str, more: &str| -> Result<Config, BadUrl> {
            let text = format!("postgres://{user}{host}{database}?{more}{others}");
            let text = text.trim_end_matches('?');
            let parsed = text.parse::<Config>();
            let mut config = parsed.map_err(|error| unreadable(&error, &parameters.others))?;
            if config.get_hosts().is_empty() {
                return Err(bad(
                    "names no host: write postgres://user:password@host/database",
                ));
            }
            config.target_session_attrs(parameters.target);
            Ok(config)
        };
        let hosts: Result<Vec<_>, _> = if parameters.hosts.is_empty() {
            named.split(',').map(|host| of_host(host, "")).collect()
        } else {
            parameters.hosts()?.map(|more| of_host("", &more)).collect()
        };
        let (hosts, mode) = (hosts?, parameters.mode);
        let direct = |config: &Config| config.get_ssl_negotiation() == SslNegotiation::Direct;
        if hosts.iter().any(direct) && mode.may_be_clear() {
            return Err(bad(
                "sslnegotiation=direct needs sslmode=require or verify-full",
            ));
        }
        Ok(Self {
            hosts,
            mode,
            root: parameters.root,
        })
    }
}

impl<'a> Parameters<'a> {
    fn parse(query: &'a str) -> Result<Self, BadUrl> {
        let mut parsed = Self {
            mode: SslMode::Prefer,
            root: None,
            hosts: Vec::new(),
            ports: Vec::new(),
            target: TargetSessionAttrs::ReadWrite,
            others: Vec::new(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            let list = || value.split(',').map(ToOwned::to_owned);
            match key {
                "sslmode" => parsed.mode = parse_mode(&value)?,
                "sslrootcert" => parsed.root = Some(PathBuf::from(&*value)),
                "host" => parsed.hosts.extend(list()),
                "port" => parsed.ports.extend(list()),
                "target_session_attrs" => parsed.target = parse_target(&value)?,
                _ => parsed.others.push(pair),
            }
        }
        Ok(parsed)
    }

    /// As in libpq, these replace the hosts before the path. As parameters for tokio-postgres.
    fn hosts(&self) -> Result<impl Iterator<Item = String>, BadUrl> {
        if self.ports.len() > 1 && self.ports.len() != self.hosts.len() {
            return Err(bad("expected one port, or one for each host"));
        }
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        Ok(self.hosts.iter().enumerate().map(move |(n, host)| {
            let port = self.ports.get(n).or(self.ports.first());
            let port = port.map_or("5432", String::as_str);
            format!("host={}&port={}&", encoded(host), encoded(port))
        }))
    }
}

/// Latchkey writes, so a server that accepts no writes is of no use.
fn parse_target(text: &str) -> Result<TargetSessionAttrs, BadUrl> {
    match text {
        "read-write" | "primary" => Ok(TargetSessionAttrs::ReadWrite),
        "any" => Ok(TargetSessionAttrs::Any),
        _ => Err(BadUrl(format!(
            "target_session_attrs={text} is of no use, because Latchkey writes; use read-write"
        ))),
    }
}

fn parse_mode(text: &str) -> Result<SslMode, BadUrl> {
    text.parse().map_err(|_| {
        BadUrl(format!(
            "sslmode={text} does not exist; use require or verify-full"
        ))
    })
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    #[test]
    fn sslmode_and_sslrootcert_are_extracted_and_the_rest_is_kept() {
        let url = "postgres://susan@db.example:5433/x?sslmode=verify-ca&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=3";
        let parsed = DatabaseUrl::parse(url).unwrap();
        assert_eq!(parsed.mode, SslMode::VerifyCa);
        assert_eq!(parsed.root, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(parsed.hosts[0].get_ports(), [5433]);
        let timeout = parsed.hosts[0].get_connect_timeout().unwrap();
        assert_eq!(timeout.as_secs(), 3, "tokio-postgres gets the rest");
        let bare = DatabaseUrl::parse("postgresql://localhost/x").unwrap();
        assert_eq!((bare.mode, bare.root), (SslMode::Prefer, None));
    }

    /// `host:port` of each host, as tokio-postgres understands them.
    fn hosts(url: &str) -> Vec<String> {
        let hosts = DatabaseUrl::parse(url).unwrap().hosts;
        let shown = hosts.iter().map(|config| {
            let host = match &config.get_hosts() {
                [Host::Tcp(name)] => name.clone(),
                [Host::Unix(path)] => path.display().to_string(),
                other => panic!("{other:?}"),
            };
            let [port] = config.get_ports() else {
                panic!("{:?}", config.get_ports())
            };
            assert_eq!(config.get_user(), Some("susan"), "{url}");
            assert_eq!(config.get_dbname(), Some("x"), "{url}");
            format!("{host}:{port}")
        });
        shown.collect()
    }

    #[test]
    fn each_host_has_its_port_and_a_host_parameter_replaces_the_hosts() {
        for (url, expected) in [
            ("susan@a:1,b:2/x", &["a:1", "b:2"][..]),
            ("susan:p%40ss@a,b:2/x", &["a:5432", "b:2"]),
            ("susan@[::1]:1,[::2]/x", &["::1:1", "::2:5432"]),
            ("susan@%2Frun%2Fpg/x", &["/run/pg:5432"]),
            ("susan@a/x?host=/run/pg", &["/run/pg:5432"]),
            ("susan@/x?host=b,c&port=1", &["b:1", "c:1"]),
            ("susan@/x?host=b&host=c&port=1,2", &["b:1", "c:2"]),
        ] {
            assert_eq!(hosts(&format!("postgres://{url}")), expected, "{url}");
        }
    }

    #[test]
    fn servers_that_accept_no_writes_are_skipped_unless_any_is_wanted() {
        for (query, expected) in [
            ("", TargetSessionAttrs::ReadWrite),
            (
                "?target_session_attrs=read-write",
                TargetSessionAttrs::ReadWrite,
            ),
            (
                "?target_session_attrs=primary",
                TargetSessionAttrs::ReadWrite,
            ),
            ("?target_session_attrs=any", TargetSessionAttrs::Any),
        ] {
            let parsed = DatabaseUrl::parse(&format!("postgres://a,b/x{query}")).unwrap();
            for config in parsed.hosts {
                assert_eq!(config.get_target_session_attrs(), expected, "{query}");
            }
        }
    }

    #[test]
    fn options_are_decoded() {
        let url =
            "postgres://a/x?options=-c%20search_path%3Dlogin%2Cpublic%20-c%20lock_timeout%3D5";
        let parsed = DatabaseUrl::parse(url).unwrap();
        let options = "-c search_path=login,public -c lock_timeout=5";
        assert_eq!(parsed.hosts[0].get_options(), Some(options));
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_with_the_fix() {
        for (url, fix) in [
            ("mysql://localhost/x", "expected postgres://"),
            ("postgres://localhost/x?sslmode=VERIFY-FULL", "verify-full"),
            (
                "postgres://localhost/x?sslnegotiation=direct",
                "sslmode=require",
            ),
            ("postgres://localhost:port/x", "DATABASE_URL: "),
            ("postgres:///x?host=a,b,c&port=1,2", "one for each host"),
            (
                "postgres://localhost/x?target_session_attrs=standby",
                "use read-write",
            ),
        ] {
            let refused = DatabaseUrl::parse(url).unwrap_err().to_string();
            assert!(refused.contains(fix), "{url}: {refused}");
        }
    }
}
