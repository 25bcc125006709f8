//! Prompts at the terminal.

use std::io::{IsTerminal, Write, stderr, stdin, stdout};

use anyhow::bail;

/// Reads a password: typed twice at a terminal, or from standard input. Never from an argument, which others can see.
pub fn password() -> anyhow::Result<String> {
    if stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        if rpassword::prompt_password("Once more: ")? != password {
            bail!("the two passwords differ");
        }
        return Ok(password);
    }
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks a question to which most people say yes. Without a terminal, nobody has said so.
pub fn agrees(question: &str) -> anyhow::Result<bool> {
    if !(stdin().is_terminal() && stderr().is_terminal()) {
        return Ok(false);
    }
    write!(stderr(), "{question} [Y/n] ")?;
    let mut answer = String::new();
    // Zero bytes: the terminal is closed.
    let read = stdin().read_line(&mut answer)?;
    let answer = answer.trim().to_lowercase();
    Ok(read > 0 && ["", "y", "yes"].contains(&answer.as_str()))
}

/// Asks before something that cannot be undone.
pub fn confirm(question: &str) -> anyhow::Result<()> {
    if !stdin().is_terminal() {
        bail!("there is no terminal to ask for confirmation, and this cannot be undone: add --yes");
    }
    let mut out = stdout();
    write!(out, "{question} This cannot be undone. [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was deleted"),
    }
}
