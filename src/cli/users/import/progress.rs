//! How far an import is: a bar on a terminal, a line now and then otherwise.

use std::io::{self, IsTerminal, Read, Write, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal, so many lines pass between two that tell of them.
const STEP: u64 = 100_000;

pub struct Progress {
    bar: ProgressBar,
    terminal: bool,
    lines: u64,
}

impl Progress {
    /// `bytes` is what there is to read, where that is known.
    pub fn begin(bytes: Option<u64>) -> Self {
        let terminal = stderr().is_terminal();
        let template = match bytes {
            Some(_) => "{bar:40} {percent:>3} %  {msg}",
            None => "{spinner} {msg}",
        };
        let bar = match (terminal, bytes) {
            (false, _) => ProgressBar::hidden(),
            (true, Some(bytes)) => ProgressBar::new(bytes),
            (true, None) => ProgressBar::new_spinner(),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            terminal,
            lines: 0,
        }
    }

    /// Counts what is read from `input`.
    pub fn watch<R: Read>(&self, input: R) -> Watched<R> {
        Watched {
            input,
            bar: self.bar.clone(),
        }
    }

    pub fn read_one(&mut self) {
        self.lines += 1;
        if self.terminal && self.lines.is_multiple_of(1000) {
            self.bar.set_message(format!("{} lines", self.lines));
        }
        if !self.terminal && self.lines.is_multiple_of(STEP) {
            // Nobody may be listening.
            let _ = writeln!(stderr(), "{} lines read", self.lines);
        }
    }

    /// All lines are read, and the database is at work.
    pub fn sorting(&self) {
        if self.terminal {
            self.bar
                .set_message(format!("{} lines, sorting", self.lines));
            self.bar.enable_steady_tick(Duration::from_millis(200));
        } else if self.lines >= STEP {
            let _ = writeln!(stderr(), "{} lines read, sorting", self.lines);
        }
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

pub struct Watched<R> {
    input: R,
    bar: ProgressBar,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bar.inc(u64::try_from(read).unwrap_or_default());
        Ok(read)
    }
}
