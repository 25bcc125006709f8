//! The providers with whose accounts people can log in: a TOML file, one table for each.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Deserialize;
use url::Url;

use super::values::{parse_name, read_file};
use crate::auth::oidc::provider::Entry;
use crate::domain::site::is_this_machine;

const SETTING: &str = "LATCHKEY_OIDC_PROVIDERS";
/// Without the address people would have to type it, and prove it by mail.
const SCOPES: [&str; 2] = ["email", "profile"];

#[derive(Args, Clone)]
#[command(next_help_heading = "Your app")]
pub struct ProviderSettings {
    /// TOML file with the providers (OpenID Connect) with whose accounts people can log in, such as Google.
    /// docs/providers.md has entries to copy.
    #[arg(long, env = "LATCHKEY_OIDC_PROVIDERS", value_name = "FILE")]
    oidc_providers: Option<PathBuf>,
}

/// One table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    issuer: String,
    client_id: String,
    client_secret_file: PathBuf,
    label: Option<String>,
    scopes: Option<Vec<String>>,
    #[serde(default = "yes")]
    register: bool,
    #[serde(default)]
    second_factor: SecondFactor,
}

/// Whose second factor counts.
#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum SecondFactor {
    #[default]
    Ours,
    Theirs,
}

fn yes() -> bool {
    true
}

impl ProviderSettings {
    /// In the order of their names.
    pub fn read(&self) -> anyhow::Result<Vec<Entry>> {
        let Some(file) = &self.oidc_providers else {
            return Ok(Vec::new());
        };
        let text = read_file(SETTING, file)?;
        parse(&text, file.parent().unwrap_or(Path::new("")))
            .with_context(|| format!("{SETTING}: {}", file.display()))
    }

    /// The file itself, and those that it names. What cannot be read is left out.
    pub fn files(&self) -> Vec<PathBuf> {
        let Some(file) = &self.oidc_providers else {
            return Vec::new();
        };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let tables: BTreeMap<String, Table> = toml::from_str(&text).unwrap_or_default();
        let directory = file.parent().unwrap_or(Path::new(""));
        let secrets = tables.into_values();
        let secrets = secrets.map(|table| directory.join(table.client_secret_file));
        secrets.chain([file.clone()]).collect()
    }
}

fn parse(text: &str, directory: &Path) -> anyhow::Result<Vec<Entry>> {
    let tables: BTreeMap<String, Table> = toml::from_str(text)?;
    let mut issuers = HashSet::new();
    let mut entries = Vec::new();
    for (name, table) in tables {
        let entry = entry(&name, table, directory).with_context(|| format!("[{name}]"))?;
        ensure!(
            issuers.insert(entry.issuer.clone()),
            "[{name}] has the issuer of another provider"
        );
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(name: &str, table: Table, directory: &Path) -> anyhow::Result<Entry> {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    ensure!(
        (1..=32).contains(&name.len()) && name.chars().all(is_fine),
        "a name has up to 32 lower-case letters, digits, - and _"
    );
    check_issuer(&table.issuer)?;
    ensure!(!table.client_id.is_empty(), "client_id is empty");
    let secret_file = directory.join(table.client_secret_file);
    let client_secret = read_file("client_secret_file", &secret_file)?;
    ensure!(
        !client_secret.is_empty(),
        "client_secret_file: {} is empty",
        secret_file.display()
    );
    let label = table.label.unwrap_or_else(|| name.to_owned());
    let scopes = table
        .scopes
        .unwrap_or_else(|| SCOPES.map(str::to_owned).into());
    if let Some(bad) = scopes.iter().find(|scope| !is_scope(scope)) {
        bail!("scopes: {bad:?} is not a scope");
    }
    Ok(Entry {
        name: name.to_owned(),
        label: parse_name(&label).map_err(|why| anyhow::anyhow!("label: {why}"))?,
        issuer: table.issuer,
        client_id: table.client_id,
        client_secret,
        scopes: scopes
            .into_iter()
            .filter(|scope| scope != "openid")
            .collect(),
        registers: table.register,
        counts_as_two: table.second_factor == SecondFactor::Theirs,
    })
}

fn check_issuer(issuer: &str) -> anyhow::Result<()> {
    let url = Url::parse(issuer).context("issuer")?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    ensure!(
        url.has_host() && is_plain,
        "issuer: write it as the provider does, such as https://accounts.google.com"
    );
    ensure!(
        url.scheme() == "https" || url.scheme() == "http" && is_this_machine(&url),
        "issuer: {issuer} is not https, so anyone on the network path could log in as anybody"
    );
    Ok(())
}

/// RFC 6749 3.3.
fn is_scope(text: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.bytes().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>, String> {
        let directory =
            std::env::temp_dir().join(format!("latchkey-providers-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("secret"), "  s3cret \n").unwrap();
        std::fs::write(directory.join("empty"), "\n").unwrap();
        parse(text, &directory).map_err(|error| format!("{error:#}"))
    }

    const GOOGLE: &str = "[google]\nissuer = \"https://accounts.google.com\"\nclient_id = \"me\"\nclient_secret_file = \"secret\"\n";

    #[test]
    fn a_table_is_a_provider_and_has_defaults() {
        let entry = read(GOOGLE).unwrap().pop().unwrap();
        assert_eq!((&*entry.name, &*entry.label), ("google", "google"));
        assert_eq!(entry.client_secret, "s3cret");
        assert_eq!(entry.scopes, ["email", "profile"]);
        assert!(entry.registers && !entry.counts_as_two);
        let more = "label = \" Google \"\nscopes = [\"openid\", \"email\"]\nregister = false\nsecond_factor = \"theirs\"\n";
        let entry = read(&format!("{GOOGLE}{more}")).unwrap().pop().unwrap();
        assert_eq!(entry.label, "Google");
        assert_eq!(entry.scopes, ["email"]);
        assert!(!entry.registers && entry.counts_as_two);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn what_cannot_work_is_told_with_its_place() {
        let line = |old: &str, new: &str| GOOGLE.replace(old, new);
        let twice = format!("{GOOGLE}{}", GOOGLE.replace("[google]", "[again]"));
        for (text, expected) in [
            (line("[google]", "[Google]"), "lower-case letters"),
            (line("https://accounts", "http://accounts"), "not https"),
            (line("https://accounts.google.com", "google"), "issuer"),
            (
                line("google.com", "google.com/?x=1"),
                "write it as the provider does",
            ),
            (line("\"me\"", "\"\""), "client_id is empty"),
            (line("\"secret\"", "\"empty\""), "is empty"),
            (line("\"secret\"", "\"missing\""), "missing"),
            (line("client_id", "client"), "unknown field `client`"),
            (
                format!("{GOOGLE}scopes = [\"a b\"]"),
                "scopes: \"a b\" is not",
            ),
            (
                format!("{GOOGLE}second_factor = \"mine\""),
                "unknown variant `mine`",
            ),
            (twice, "[google] has the issuer of another provider"),
            ("[google".to_owned(), "line 1"),
        ] {
            let error = read(&text).map(|all| all.len()).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for host in ["localhost:4000", "127.0.0.1:4000", "[::1]:4000"] {
            assert!(
                read(&GOOGLE.replace("https://accounts.google.com", &format!("http://{host}")))
                    .is_ok()
            );
        }
    }
}
