//! The file `.env` in the working directory: settings for development, which the environment overrides.

use std::fs::{Metadata, OpenOptions, symlink_metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::store::local::own;

const LARGEST: u64 = 64 * 1024;

/// What the file sets, in its order. Other programs may keep their own settings in it.
#[derive(Debug, Default)]
pub struct DotEnv {
    /// `None` if there is no such file.
    pub path: Option<PathBuf>,
    pub values: Vec<(String, String)>,
}

impl DotEnv {
    /// The error says how to fix it, and repeats no value. What is no file, such as a Python environment of this name, is
    /// left alone, and so is a file that sets nothing of ours.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(".env");
        let shown = path.display().to_string();
        let failed = |error: std::io::Error| format!("{shown}: {error}");
        // A pipe would wait for whoever writes into it.
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path);
        let file = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            other => other.map_err(failed)?,
        };
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() {
            return Ok(Self::default());
        }
        let mut bytes = Vec::new();
        let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
        if read.map_err(failed)? as u64 > LARGEST {
            return Err(format!("{shown} is larger than {LARGEST} bytes"));
        }
        let values = parse(&String::from_utf8_lossy(&bytes));
        let values = values.map_err(|why| format!("{shown}, {why}"))?;
        if values.iter().any(|(name, _)| is_ours(name)) {
            trusted(folder, &path, &found)?;
        }
        Ok(Self {
            path: Some(path),
            values,
        })
    }

    /// The last value counts, as in a shell.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.values.iter().rev();
        let found = values.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("LATCHKEY_") || name.starts_with("DATABASE_URL")
}

/// Settings say which programs and files are used, so they come from us or from root. Root also looks at the directory,
/// in which a link may lead to any file of root's.
fn trusted(folder: &Path, path: &Path, found: &Metadata) -> Result<(), String> {
    let shown = path.display();
    let is_root = own::us() == 0;
    let others = if is_root { 0o022 } else { 0o002 };
    // Of a link, its maker counts too.
    let link = symlink_metadata(path).map_or(u32::MAX, |link| link.uid());
    let is_trusted = |account: u32| account == 0 || account == own::us();
    if !is_trusted(found.uid()) || !is_trusted(link) || is_root && !own::keep_what_is_ours(folder) {
        return Err(format!(
            "another account can change {shown}, and with it these settings: run Latchkey as that account, or in another \
             directory"
        ));
    }
    if found.mode() & others != 0 {
        return Err(format!(
            "other accounts may change {shown}, and with it these settings: chmod go-w {shown}"
        ));
    }
    Ok(())
}

/// `NAME=value`, `export NAME='value'` and `# comments`; a value in quotes may have several lines. Nothing in a value is
/// replaced, so one of ours that other readers of the file would change must be in single quotes.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut values = Vec::new();
    let mut lines = text.trim_start_matches('\u{feff}').lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let at = |why: &str| format!("line {number}: {why}");
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let pair = line
            .split_once('=')
            .map(|(name, value)| (name.trim(), value.trim()));
        let Some((name, value)) = pair.filter(|(name, _)| is_name(name)) else {
            if is_ours(line) {
                return Err(at("write NAME=value"));
            }
            continue;
        };
        let quote = value.chars().next().filter(|first| "'\"".contains(*first));
        let value = match quote {
            None => value
                .split(" #")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            Some(quote) => match quoted(&value[1..], quote, &mut lines) {
                Ok(value) => value,
                Err(why) if is_ours(name) => return Err(at(why)),
                Err(_) => continue,
            },
        };
        if is_ours(name) && quote != Some('\'') && value.contains(['$', '\\', '`']) {
            return Err(at(
                "put a value with $, \\ or ` into single quotes, in which it means itself",
            ));
        }
        values.push((name.to_owned(), value));
    }
    Ok(values)
}

/// The value behind a quote, which may go on in `lines`. They stay where they are if it does not end.
fn quoted<'a>(
    first: &str,
    quote: char,
    lines: &mut (impl Iterator<Item = (&'a str, i32)> + Clone),
) -> Result<String, &'static str> {
    let mut open = first.to_owned();
    let mut ahead = lines.clone();
    let end = loop {
        if let Some(end) = closing(&open, quote) {
            break end;
        }
        let (next, _) = ahead.next().ok_or("a quote is not closed")?;
        open.push('\n');
        open.push_str(next);
    };
    let behind = open[end + 1..].trim_start();
    if !(behind.is_empty() || behind.starts_with('#')) {
        return Err("nothing but a comment may follow the closing quote");
    }
    *lines = ahead;
    Ok(open[..end].to_owned())
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

/// Where the value ends.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut found = text.match_indices(quote).map(|(at, _)| at);
    found.find(|at| quote == '\'' || !text[..*at].ends_with('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_mean_what_they_mean_to_other_readers_of_the_file() {
        let text = "# of our app\n\nSECRET=\"two\nlines with \\\"quotes\\\"\"\nexport LATCHKEY_LISTEN=9000 # a port\n\
                    LATCHKEY_APP_NAME = 'My $App' \nLATCHKEY_LOG=\"info\" # loud\nDATABASE_URL=postgres://a:b#c@d/e\n\
                    LATCHKEY_LISTEN=9001\n";
        let file = DotEnv {
            path: None,
            values: parse(text).unwrap(),
        };
        for (name, expected) in [
            ("LATCHKEY_LISTEN", Some("9001")),
            ("LATCHKEY_APP_NAME", Some("My $App")),
            ("LATCHKEY_LOG", Some("info")),
            ("DATABASE_URL", Some("postgres://a:b#c@d/e")),
            ("SECRET", Some("two\nlines with \\\"quotes\\\"")),
            ("lines with", None),
        ] {
            assert_eq!(file.get(name), expected, "{name}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_understood_is_named_and_its_value_is_not() {
        for (text, expected) in [
            ("LATCHKEY_LISTEN: river-42", "line 1: write NAME=value"),
            ("A\nDATABASE_URL river-42\n", "line 2: write NAME=value"),
            (
                "A=1\nLATCHKEY_SECRET_KEY='river-42\nB=2",
                "line 2: a quote is not closed",
            ),
            ("DATABASE_URL='a' river-42", "line 1: nothing but a comment"),
            ("DATABASE_URL=river-42$HOME", "line 1: put a value with $"),
            (
                "DATABASE_URL=\"river-42\\n\"",
                "line 1: put a value with $, \\ or `",
            ),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.starts_with(expected), "{text}: {refused}");
            assert!(!refused.contains("river-42"), "{refused}");
        }
    }
}
