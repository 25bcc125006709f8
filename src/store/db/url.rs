//! `DATABASE_URL`: its parts, or why it cannot be used.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::SslNegotiation;

use super::sslmode::SslMode;

/// Why a `DATABASE_URL` cannot be used. The text says how to fix it.
#[derive(Debug, thiserror::Error)]
#[error("DATABASE_URL: {0}")]
pub struct BadUrl(pub String);

/// The parts of a `DATABASE_URL`. tokio-postgres does not support all of libpq's `sslmode`.
#[derive(Debug)]
pub struct DatabaseUrl {
    pub config: Config,
    pub mode: SslMode,
    /// The file of `sslrootcert`.
    pub root: Option<PathBuf>,
}

impl DatabaseUrl {
    /// `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        if !base.starts_with("postgres://") && !base.starts_with("postgresql://") {
            return Err(bad("expected postgres://user:password@host/database"));
        }
        let (mut mode, mut root) = (SslMode::Prefer, None);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            match key {
                "sslmode" => mode = parse_mode(&value)?,
                "sslrootcert" => root = Some(PathBuf::from(&*value)),
                _ => rest.push(pair),
            }
        }
        let bare = format!("{base}?{}", rest.join("&"));
        let config: Config = bare
            .trim_end_matches('?')
            .parse()
            .map_err(|error: tokio_postgres::Error| BadUrl(error.to_string()))?;
        if config.get_ssl_negotiation() == SslNegotiation::Direct && mode.may_be_clear() {
            return Err(bad(
                "sslnegotiation=direct needs sslmode=require or verify-full",
            ));
        }
        Ok(Self { config, mode, root })
    }
}

fn parse_mode(text: &str) -> Result<SslMode, BadUrl> {
    text.parse().map_err(|_| {
        BadUrl(format!(
            "sslmode={text} does not exist; use require or verify-full"
        ))
    })
}

fn bad(why: &str) -> BadUrl {
    BadUrl(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sslmode_and_sslrootcert_are_extracted_and_the_rest_is_kept() {
        let url = "postgres://susan@db.example:5433/x?sslmode=verify-ca&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=3";
        let parsed = DatabaseUrl::parse(url).unwrap();
        assert_eq!(parsed.mode, SslMode::VerifyCa);
        assert_eq!(parsed.root, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(parsed.config.get_ports(), [5433]);
        assert_eq!(
            parsed.config.get_connect_timeout().unwrap().as_secs(),
            3,
            "tokio-postgres gets the rest"
        );
        let bare = DatabaseUrl::parse("postgresql://localhost/x").unwrap();
        assert_eq!((bare.mode, bare.root), (SslMode::Prefer, None));
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
        ] {
            let refused = DatabaseUrl::parse(url).unwrap_err().to_string();
            assert!(refused.contains(fix), "{url}: {refused}");
        }
    }
}
