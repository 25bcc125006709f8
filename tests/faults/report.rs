//! What was measured, next to what is promised.

use std::process::ExitCode;
use std::time::Duration;

/// Prints rows of a Markdown table as they come.
pub struct Report {
    id: &'static str,
    broken: Vec<String>,
}

impl Report {
    pub fn new() -> Self {
        println!("| id | what | measured | promised | |");
        println!("| --- | --- | --- | --- | --- |");
        Self {
            id: "",
            broken: Vec::new(),
        }
    }

    pub fn begin(&mut self, id: &'static str) {
        self.id = id;
    }

    pub fn end(&self, took: Duration) {
        eprintln!("{} took {:.0} s", self.id, took.as_secs_f32());
    }

    /// A figure with its promise.
    pub fn check(
        &mut self,
        what: &str,
        measured: impl std::fmt::Display,
        promised: &str,
        kept: bool,
    ) {
        let verdict = if kept { "kept" } else { "BROKEN" };
        println!(
            "| {} | {what} | {measured} | {promised} | {verdict} |",
            self.id
        );
        if !kept {
            self.broken.push(format!(
                "{}: {what}: {measured}, promised {promised}",
                self.id
            ));
        }
    }

    /// A time with its maximum.
    pub fn within(&mut self, what: &str, measured: Duration, most: Duration) {
        let text = format!("{:.1} ms", measured.as_secs_f64() * 1000.0);
        let promised = format!("≤ {} ms", most.as_millis());
        self.check(what, text, &promised, measured <= most);
    }

    /// A count that must be zero.
    pub fn none(&mut self, what: &str, count: usize) {
        self.check(what, count, "0", count == 0);
    }

    /// A figure without a promise.
    pub fn tell(&self, what: &str, measured: impl std::fmt::Display) {
        println!("| {} | {what} | {measured} | – | |", self.id);
    }

    pub fn finish(self) -> ExitCode {
        if self.broken.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!("\nbroken promises:\n{}", self.broken.join("\n"));
        ExitCode::FAILURE
    }
}
