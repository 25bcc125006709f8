//! Starts the log.

use std::io::{IsTerminal, stderr};

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Anybody can cause these lines at will. The settings can still turn them on by name.
const QUIET: &str = "actix_session=error,actix_http=off,webauthn_rs=off,webauthn_rs_core=off";

pub fn start(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = format!("{QUIET},{}", settings.log);
    let filter = EnvFilter::try_new(filter).map_err(|_| {
        anyhow!(
            "LATCHKEY_LOG: write a level (error, warn, info, debug, trace), or one for each part: warn,latchkey=debug"
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Otherwise it reports a failed write with eprintln!, which panics for the same reason.
        .log_internal_errors(false)
        .with_writer(stderr);
    match settings.log_format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines
            .with_target(false)
            .with_ansi(stderr().is_terminal())
            .init(),
    }
    Ok(())
}
