//! What an import did, or would do.

use std::collections::BTreeMap;

use serde::Serialize;

use super::reason::{Reason, plain};
use crate::store::import::{Counts, Found};

#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether anybody came. If not, `come` counts who would.
    pub written: bool,
    pub lines: u64,
    pub come: u64,
    pub here_already: u64,
    pub cannot_come: u64,
    /// Of those who come: under a made username.
    pub renamed: u64,
    pub without_password: u64,
    /// Of those who come: with the role `admin`.
    pub administrators: u64,
    /// Of those who come: hashes that take longer to verify than Latchkey's own.
    pub slower_hashes: u64,
    /// Of those who come, by format.
    pub hashes: BTreeMap<String, u64>,
    /// Those who cannot come, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first of them.
    pub findings: Vec<Finding>,
    /// Columns of the source that mean nothing here.
    pub unused_columns: Vec<String>,
    #[serde(skip)]
    pub unit: &'static str,
}

/// A line that cannot come.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub line: u64,
    pub field: Option<String>,
    pub reason: String,
    pub message: String,
}

impl Report {
    pub(super) fn of(counts: Counts, found: &[Found], written: bool, unit: &'static str) -> Self {
        Self {
            written,
            lines: counts.lines,
            come: counts.come,
            here_already: counts.here,
            cannot_come: counts.reasons.iter().map(|(_, count)| count).sum(),
            renamed: counts.renamed,
            without_password: counts.without_password,
            administrators: counts.administrators,
            slower_hashes: counts.slower,
            hashes: counts.hashes.into_iter().collect(),
            reasons: counts.reasons.into_iter().collect(),
            findings: found.iter().map(|found| finding(found, unit)).collect(),
            unused_columns: Vec::new(),
            unit,
        }
    }

    /// The one line in the log. What came with each user was their past: there are no events.
    pub(super) fn log(&self) {
        tracing::info!(
            lines = self.lines,
            came = self.come,
            administrators = self.administrators,
            here_already = self.here_already,
            could_not_come = self.cannot_come,
            "imported users"
        );
    }
}

fn finding(found: &Found, unit: &str) -> Finding {
    let reason = found.reason.parse::<Reason>().ok();
    let message = reason.map(|reason| reason.message(&plain(&found.shown), &found.detail, unit));
    Finding {
        line: found.line,
        field: found.field.clone(),
        reason: found.reason.clone(),
        message: message.unwrap_or_default(),
    }
}

/// What a count of lines with this reason is called.
pub fn title(reason: &str) -> &str {
    match reason.parse::<Reason>() {
        Ok(known) => known.title(),
        Err(_) => reason,
    }
}
