//! What was measured, beside what is promised.

use std::process::ExitCode;
use std::time::Duration;

/// Rows of a Markdown table, printed as they come.
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

    /// A figure with the promise about it.
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

    /// No more than so many milliseconds.
    pub fn within(&mut self, what: &str, measured: Duration, most: Duration) {
        let text = format!("{:.1} ms", measured.as_secs_f64() * 1000.0);
        let promised = format!("≤ {} ms", most.as_millis());
        self.check(what, text, &promised, measured <= most);
    }

    /// None of them.
    pub fn none(&mut self, what: &str, count: usize) {
        self.check(what, count, "0", count == 0);
    }

    /// A figure that nothing is promised about.
    pub fn tell(&self, what: &str, measured: impl std::fmt::Display) {
        println!("| {} | {what} | {measured} | – | |", self.id);
    }

    pub fn finish(self) -> ExitCode {
        if self.broken.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!("\nnot kept:\n{}", self.broken.join("\n"));
        ExitCode::FAILURE
    }
}
