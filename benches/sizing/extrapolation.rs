//! From what was measured to a hundred million.

use std::time::Duration;

use latchkey::auth::upkeep::REST;

use crate::bytes::Bytes;
use crate::wal::Wal;

const TARGET: f64 = 100e6;
/// Assumed of a day: logins a user (and as many sessions that end by expiring), sessions that are used, and written
/// uses of each, of which there is one a minute at most.
const LOGINS: f64 = 0.1;
const USED: f64 = 0.5;
const USES: f64 = 20.0;
/// Days for which an event is kept.
const KEPT: f64 = 90.0;
/// The part of the time in which a purge does not rest.
const PURGING: f64 = 1.0 / (1.0 + REST as f64);

pub struct Figures<'a> {
    pub rows: f64,
    pub bytes: &'a [Bytes],
    /// Bytes of one security event, with its indexes.
    pub event: f64,
    pub wal: &'a [Wal],
    /// Bytes of log a written use.
    pub use_wal: f64,
    pub vacuum: Duration,
    pub purge_rate: f64,
}

impl Figures<'_> {
    /// Bytes of log a day: of logins, each of which meets pages for the first time since a checkpoint, and of uses.
    fn wal_a_day(&self, rows: f64) -> [f64; 2] {
        let login = self.wal.iter().find(|wal| wal.what == "login").unwrap();
        [LOGINS * login.first, USED * USES * self.use_wal].map(|wal| rows * wal)
    }

    fn column(&self, rows: f64) -> Vec<String> {
        let gb = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
        let minutes = |seconds: f64| format!("{:.1} min", seconds / 60.0);
        let (users, sessions) = (&self.bytes[0], &self.bytes[1]);
        let indexes = users.in_indexes() + sessions.in_indexes();
        let [logins, uses] = self.wal_a_day(rows);
        vec![
            gb(rows * users.all()),
            gb(rows * sessions.all()),
            gb(rows * indexes),
            gb(rows * LOGINS * KEPT * self.event),
            gb(logins),
            gb(uses),
            minutes(self.vacuum.as_secs_f64() * rows / self.rows),
            minutes(rows * LOGINS / self.purge_rate / PURGING),
            minutes(rows / self.purge_rate / PURGING),
        ]
    }
}

const LINES: [&str; 9] = [
    "disk: users, with indexes",
    "disk: sessions, with indexes",
    "of these, indexes: to be kept in memory",
    "disk: security events of 90 days",
    "WAL a day: logins",
    "WAL a day: written uses",
    "vacuum of sessions after uses of a fifth",
    "purge of a day's expired sessions",
    "purge if all sessions expired at once",
];

pub fn print(figures: &[Figures<'_>]) {
    let mut head = String::from("| users, and as many sessions |");
    let mut columns = Vec::new();
    for one in figures {
        head += &format!(" {} M |", one.rows / 1e6);
        columns.push(one.column(one.rows));
    }
    let largest = figures.last().unwrap();
    columns.push(largest.column(TARGET));
    println!("\n{head} {} M, extrapolated |", TARGET / 1e6);
    println!("| --- |{}", " --- |".repeat(columns.len()));
    for (line, name) in LINES.into_iter().enumerate() {
        crate::print_line(name, columns.iter().map(|column| column[line].clone()));
    }
    println!(
        "\nAssumed of a day: {LOGINS} logins a user, {USED} of the sessions used, {USES} written uses of each. \
         PostgreSQL's default max_wal_size of 1 GB makes checkpoints, and with them whole pages, more frequent the larger \
         the tables are. The last column is {:.0} times the figures of {} M.",
        TARGET / largest.rows,
        largest.rows / 1e6
    );
}
