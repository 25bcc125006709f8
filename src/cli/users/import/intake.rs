//! Where the lines of every source go.

use super::mapping::Mapping;
use super::progress::Progress;
use crate::auth::import::Reading;
use crate::auth::import::columns::{Column, Raw};

/// The longest line that is read, and the most that a row of a database may hold.
pub const LINE_MAX: usize = 1024 * 1024;

pub struct Intake {
    pub reading: Reading,
    pub mapping: Mapping,
    pub progress: Progress,
}

impl Intake {
    /// One user, or why the line cannot be read.
    pub async fn take(&mut self, line: u64, raw: Result<Raw, String>) -> anyhow::Result<()> {
        let raw = raw.map(|mut raw| {
            let hash = raw.get(Column::PasswordHash);
            if hash.is_some_and(Mapping::is_unusable) {
                raw.set(Column::PasswordHash, String::new());
            }
            raw
        });
        self.reading
            .take(line, raw.as_ref().map_err(Clone::clone))
            .await?;
        self.progress.read_one();
        Ok(())
    }
}

/// The fields of a database's row, which together hold no more than a line may.
#[derive(Default)]
pub struct Fields {
    pub raw: Raw,
    size: usize,
}

impl Fields {
    pub fn add(&mut self, column: Column, text: &str) -> Result<(), String> {
        self.size += text.len();
        if self.size > LINE_MAX {
            return Err(too_long());
        }
        self.raw.set(column, text.to_owned());
        Ok(())
    }
}

pub fn too_long() -> String {
    format!("this is longer than {} MiB", LINE_MAX / 1024 / 1024)
}
