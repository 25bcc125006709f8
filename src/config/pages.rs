//! Settings of the pages that the server itself shows to people.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf, absolute};
use std::str::FromStr;

use actix_web::http::header::HeaderValue;
use clap::{Args, ValueEnum};
use url::Url;

use crate::domain::site::is_this_machine;

#[derive(Args, Clone)]
#[command(next_help_heading = "Pages")]
pub struct PageSettings {
    /// Whether to show the reference page, at / and at the paths of LATCHKEY_PAGES. auto shows it if the public URL is
    /// this machine and LATCHKEY_SPA_DIR is not set.
    #[arg(
        long,
        env = "LATCHKEY_DEMO",
        default_value = "auto",
        value_name = "on|off|auto"
    )]
    pub demo: Demo,

    /// Directory of a built single-page app, such as dist. Latchkey serves its files, and its index.html at every path
    /// that is no file and does not begin with /api/, /health/, /swagger-ui or /dev/.
    #[arg(long, env = "LATCHKEY_SPA_DIR", value_name = "DIR")]
    pub spa_dir: Option<PathBuf>,

    /// Content security policy of that app. off sends none.
    #[arg(
        long,
        env = "LATCHKEY_SPA_CSP",
        default_value = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
                         font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; \
                         form-action 'self'; frame-ancestors 'none'",
        value_name = "POLICY"
    )]
    pub spa_csp: Policy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Demo {
    On,
    Off,
    Auto,
}

/// `None`: none is sent.
#[derive(Clone, Debug)]
pub struct Policy(pub Option<HeaderValue>);

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim_matches(' ');
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self(None));
        }
        let is_one_line =
            !text.is_empty() && text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        let value = is_one_line.then(|| HeaderValue::from_str(text).ok());
        let wanted = "write a policy on one line, in plain ASCII, or off";
        value
            .flatten()
            .map(|value| Self(Some(value)))
            .ok_or_else(|| wanted.to_owned())
    }
}

impl PageSettings {
    pub fn shows_demo(&self, public_url: &Url) -> bool {
        match self.demo {
            Demo::On => true,
            Demo::Off => false,
            Demo::Auto => self.spa_dir.is_none() && is_this_machine(public_url),
        }
    }

    pub(super) fn check(&self, data_dir: &Path, warnings: &mut Vec<String>) -> Result<(), String> {
        let Some(given) = &self.spa_dir else {
            return Ok(());
        };
        let set = format!("LATCHKEY_SPA_DIR={}", given.display());
        if self.demo == Demo::On {
            return Err(format!(
                "{set} and LATCHKEY_DEMO=on both want to be at /: leave one of the two out"
            ));
        }
        let build = "build your app first (npm run build), and name the directory that this writes, often dist or build";
        let directory = absolute(given).unwrap_or_else(|_| given.clone());
        let shown = directory.display();
        if !directory.is_dir() {
            return Err(format!("{set}: there is no directory {shown}: {build}"));
        }
        let index = directory.join("index.html");
        // To open a pipe would wait for whoever writes into it.
        let opened = index.metadata().and_then(|found| match found.is_file() {
            true => File::open(&index),
            false => Err(ErrorKind::InvalidInput.into()),
        });
        if let Err(error) = opened {
            return Err(format!("{set}: {shown}/index.html: {error}: {build}"));
        }
        self.check_data_dir(data_dir)?;
        let sources: Vec<_> = ["package.json", ".env"]
            .into_iter()
            .filter(|name| directory.join(name).exists())
            .collect();
        if !sources.is_empty() {
            warnings.push(format!(
                "{set} contains {}: it seems to be the project, and everybody can read its files. Name the directory \
                 that npm run build writes, often dist or build",
                sources.join(" and ")
            ));
        }
        Ok(())
    }

    /// The data directory, as asked for or where it really is, has the secret key and the mails in it.
    pub fn check_data_dir(&self, data_dir: &Path) -> Result<(), String> {
        let true_path = |path: &Path| path.canonicalize().or_else(|_| absolute(path));
        let given = self.spa_dir.as_deref();
        let (Some(Ok(pages)), Ok(data)) = (given.map(true_path), true_path(data_dir)) else {
            return Ok(());
        };
        if !data.starts_with(&pages) && !pages.starts_with(&data) {
            return Ok(());
        }
        Err(format!(
            "LATCHKEY_SPA_DIR={} and the data directory {} lie in one another, and the secret key is in the latter: move \
             one of the two",
            pages.display(),
            data_dir.display()
        ))
    }
}
