//! The secret key: read from the settings and checked, or generated for the local database.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::values::read_file;
use crate::domain::secret::SessionKey;
use crate::store::local::own;

/// RFC 2104 asks for HMAC keys at least as long as the hash. 32 random characters suffice for 128 bits.
const MIN_LENGTH: usize = 32;
/// A key with fewer different characters than this is not random.
const MIN_DISTINCT: usize = 8;

#[derive(Args, Clone)]
#[command(next_help_heading = "Secret key")]
pub struct SecretKeySettings {
    /// Key that signs the cookies and encrypts the secrets of authenticator apps: at least 32 random characters, the
    /// same on every instance. With the private PostgreSQL you may leave it out: Latchkey then generates a key and keeps
    /// it in the data directory.
    #[arg(
        long,
        env = "LATCHKEY_SECRET_KEY",
        hide_env_values = true,
        value_name = "KEY",
        conflicts_with = "secret_key_file"
    )]
    secret_key: Option<String>,

    /// File that holds the secret key.
    #[arg(long, env = "LATCHKEY_SECRET_KEY_FILE", value_name = "FILE")]
    secret_key_file: Option<PathBuf>,

    /// Former secret keys, separated by commas. What they signed or encrypted stays valid, and is signed or encrypted
    /// again with the secret key, so that you can change it without logging anyone out.
    #[arg(
        long,
        env = "LATCHKEY_SECRET_KEY_OLD",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "KEYS"
    )]
    secret_key_old: Vec<String>,
}

impl SecretKeySettings {
    pub fn file(&self) -> Option<&Path> {
        self.secret_key_file.as_deref()
    }

    /// The key from the settings, if one is set. Fails if it or an old one is too weak.
    pub fn read(&self) -> anyhow::Result<Option<String>> {
        for old in &self.secret_key_old {
            check("LATCHKEY_SECRET_KEY_OLD", old)?;
        }
        let key = match (&self.secret_key, &self.secret_key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(file)) => read_file("LATCHKEY_SECRET_KEY_FILE", file)?,
            (None, None) => return Ok(None),
        };
        check("LATCHKEY_SECRET_KEY", &key)?;
        Ok(Some(key))
    }

    pub fn old_keys(&self) -> &[String] {
        &self.secret_key_old
    }
}

/// The key in `file`, which only its owner may read. The first call generates it.
pub fn stored_secret_key(file: &Path) -> anyhow::Result<String> {
    let key = match own::read(file)? {
        Some(key) => key,
        None => {
            let key = SessionKey::generate()?.cookie_value().to_owned();
            own::write(file, &key)?;
            key
        }
    };
    check("LATCHKEY_SECRET_KEY", &key).with_context(|| {
        let file = file.display();
        format!("{file} is damaged: remove it, and the next start generates a new key")
    })?;
    Ok(key)
}

fn check(setting: &str, key: &str) -> anyhow::Result<()> {
    let distinct = key.chars().collect::<HashSet<_>>().len();
    if key.len() < MIN_LENGTH || distinct < MIN_DISTINCT {
        bail!(
            "{setting} is too weak: it needs at least {MIN_LENGTH} random characters, such as those of \
             openssl rand -hex 32"
        );
    }
    Ok(())
}
