//! Moving in: users of another system come with their hashes, and log in as ever.
//!
//! Each line is judged by itself ([`candidate`]); what it shares with other lines and with users who are here is found in
//! SQL (`store/import`). A dry run does all that and writes nothing.

use crate::auth::error::Result;
use crate::store::db::Db;
use crate::store::import::{Import, Refused};
use candidate::Refusal;
use columns::Raw;
pub use reason::plain;
pub use report::{Finding, Report, title};

pub mod candidate;
pub mod columns;
mod formats;
mod names;
mod reason;
mod report;
mod times;

/// How many lines a report tells of. It counts all of them.
const FINDINGS: u32 = 1000;

pub struct Options {
    /// Nothing is written without it.
    pub write: bool,
    /// Nothing is written if anybody cannot come.
    pub strict: bool,
    /// Users whose username is missing or refused come under another one.
    pub rename: bool,
    /// What the source calls a line.
    pub unit: &'static str,
}

/// An import that still reads.
pub struct Reading(Import);

impl Reading {
    pub async fn begin(db: &Db) -> Result<Self> {
        Ok(Self(Import::begin(db.connector()).await?))
    }

    /// Takes one line, which may be unreadable.
    pub async fn take(&mut self, line: u64, raw: std::result::Result<&Raw, String>) -> Result<()> {
        let judged = raw.map_err(Refusal::malformed).and_then(candidate::judge);
        let done = match &judged {
            Ok(arrival) => self.0.arrive(line, arrival).await,
            Err(refusal) => {
                let refused = Refused {
                    field: refusal.column.map(columns::Column::name),
                    reason: refusal.reason.into(),
                    shown: &plain(&refusal.shown),
                };
                self.0.refuse(line, &refused).await
            }
        };
        Ok(done?)
    }

    /// Writes, if that is what the options ask for, and tells what has become of each line.
    pub async fn finish(self, options: &Options) -> Result<Report> {
        let import = self.0.sort(options.rename, options.write).await?;
        let mut counts = import.counts().await?;
        let refuses = options.strict && !counts.reasons.is_empty();
        let mut writes = options.write && !refuses;
        if writes {
            import.write().await?;
            counts = import.counts().await?;
            // Somebody registered under one of the names meanwhile.
            writes = !options.strict || counts.reasons.is_empty();
        }
        let found = import.found(FINDINGS).await?;
        if writes {
            import.commit().await?;
        }
        let report = Report::of(counts, &found, writes, options.unit);
        if writes {
            report.log();
        }
        Ok(report)
    }
}
