//! Offers to install PostgreSQL's programs where they are missing.

use std::io::{IsTerminal, Write, stderr, stdin};

use anyhow::bail;

use super::prompt;
use crate::config::InstallPostgres;
use crate::store::local::error::LocalError;
use crate::store::local::install::Installer;

/// Installs them if the settings or the person at the terminal agree. Otherwise the error says how to.
pub fn install(setting: InstallPostgres) -> anyhow::Result<()> {
    let Some(installer) = Installer::find() else {
        return Err(LocalError::NoPrograms.into());
    };
    let command = installer.shown();
    let agreed = match setting {
        InstallPostgres::Off => false,
        InstallPostgres::On => {
            say(&format!(
                "latchkey: PostgreSQL's programs are missing. LATCHKEY_INSTALL_POSTGRES is on, so this installs \
                 them:\n  {command}"
            ));
            true
        }
        InstallPostgres::Ask => prompt::agrees(&format!(
            "Latchkey needs PostgreSQL's programs, which are not installed on this machine. This installs them:\n  \
             {command}\nInstall them now?"
        ))?,
    };
    if !agreed {
        bail!(
            "{}\nOn this machine, this installs them, and LATCHKEY_INSTALL_POSTGRES=on has Latchkey do it:\n  {command}",
            LocalError::NoPrograms
        );
    }
    installer.run(stdin().is_terminal(), say)?;
    say("latchkey: PostgreSQL's programs are installed.");
    Ok(())
}

/// To standard error, like the log. Nobody need be there to read it.
fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}
