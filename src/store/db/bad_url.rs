//! Why a `DATABASE_URL` cannot be used. No text repeats a value: it may be a password, or a part of one.

use std::error::Error;

/// The text says how to fix it.
#[derive(Debug, thiserror::Error)]
#[error("DATABASE_URL: {0}")]
pub struct BadUrl(pub String);

pub const ENCODE: &str = "cannot be parsed. Write postgres://user:password@host:5432/database, and in user and password \
                          @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25";
const PORT: &str =
    "the port must be a number up to 65535, as in postgres://user:password@host:5432/database";
const TLS: &str = "write sslmode=require or sslmode=verify-full to encrypt the connection";

pub fn bad(why: &str) -> BadUrl {
    BadUrl(why.to_owned())
}

/// Says what tokio-postgres could not parse, of a URL with these parameters.
pub fn unreadable(error: &tokio_postgres::Error, parameters: &[&str]) -> BadUrl {
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    if ["port", "digit", "too large"]
        .iter()
        .any(|word| why.contains(word))
    {
        return bad(PORT);
    }
    let names = parameters.iter().filter_map(|pair| pair.split_once('='));
    let names: Vec<&str> = names.map(|(name, _)| name).collect();
    match &names[..] {
        [] => bad(ENCODE),
        ["ssl" | "tls", ..] => bad(TLS),
        names => BadUrl(format!(
            "one of these parameters is unknown, or has a wrong value: {}",
            names.join(", ")
        )),
    }
}
