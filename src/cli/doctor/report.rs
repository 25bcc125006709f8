//! What the doctor found, a line each.

use std::io::{Write, stdout};

/// What was found, printed as it is found.
#[derive(Default)]
pub struct Report {
    pub failures: usize,
}

impl Report {
    pub fn good(&mut self, told: &str) -> anyhow::Result<()> {
        Ok(writeln!(stdout(), "  ok    {told}")?)
    }

    pub fn note(&mut self, told: &str) -> anyhow::Result<()> {
        Ok(writeln!(stdout(), "  note  {told}")?)
    }

    pub fn bad(&mut self, told: &str, fix: &str) -> anyhow::Result<()> {
        self.failures += 1;
        Ok(writeln!(stdout(), "  FAIL  {told}\n        Fix: {fix}")?)
    }
}
