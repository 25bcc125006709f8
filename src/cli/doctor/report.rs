//! Prints the doctor's findings line by line.

use std::io::{Write, stdout};

/// The doctor's findings. Each method returns whether checks that build on this one make sense.
#[derive(Default)]
pub struct Report {
    pub failures: usize,
}

impl Report {
    pub fn good(&mut self, finding: &str) -> anyhow::Result<bool> {
        writeln!(stdout(), "  ok    {finding}")?;
        Ok(true)
    }

    pub fn note(&mut self, finding: &str) -> anyhow::Result<bool> {
        writeln!(stdout(), "  note  {finding}")?;
        Ok(true)
    }

    pub fn bad(&mut self, finding: &str, fix: &str) -> anyhow::Result<bool> {
        self.failures += 1;
        writeln!(stdout(), "  FAIL  {finding}\n        Fix: {fix}")?;
        Ok(false)
    }
}
