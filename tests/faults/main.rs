//! Faults and floods against the real binary, with figures: `cargo test --release --test faults -- [full] [F5 R1 …]`.
//!
//! Each promise has a function that prints its measurements as a table. A broken promise fails the run. The short form
//! takes some minutes, `full` 35. Needs root (R10 mounts a small file system, R15 gives each node a namespace), and
//! from Debian `nginx` (R8), `faketime` (R11), `patroni`, `python3-etcd`, `etcd-server` and `haproxy` (R15), and
//! `pgbouncer` (R16).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a program for developers that prints its findings, many a fault, and stops at the first error"
)]

use std::process::ExitCode;
use std::time::Instant;

mod attacker;
mod clock;
mod crash;
mod disk;
mod failover;
mod flood;
mod instances;
mod load;
mod mail;
mod network;
mod patroni;
mod pooler;
#[expect(dead_code, reason = "tests/api asks more of it")]
#[path = "../api/support/process.rs"]
mod process;
#[path = "../api/support/proxy.rs"]
mod proxy;
mod report;
mod rolling;
mod server;
mod shared;
#[expect(dead_code, reason = "tests/api asks more of its mail server")]
#[path = "../api/support/smtp/mod.rs"]
mod smtp;
mod soak;
mod visitors;

use report::Report;

/// How long and how often each fault is tried.
#[derive(Clone, Copy)]
pub struct Scale {
    full: bool,
}

impl Scale {
    /// Picks a figure for the short or the full form.
    pub fn of<T>(self, short: T, full: T) -> T {
        if self.full { full } else { short }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    if cfg!(debug_assertions) {
        panic!("the figures of a debug build mean nothing: cargo test --release --test faults");
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let scale = Scale {
        full: arguments.iter().any(|word| word == "full"),
    };
    let chosen: Vec<&String> = arguments
        .iter()
        .filter(|word| word.starts_with(['R', 'E', 'F']))
        .collect();
    let wanted = |id: &str| chosen.is_empty() || chosen.iter().any(|word| *word == id);
    let mut report = Report::new();
    macro_rules! run {
        ($id:literal, $fault:path) => {
            if wanted($id) {
                let began = Instant::now();
                report.begin($id);
                $fault(&mut report, scale).await;
                report.end(began.elapsed());
            }
        };
    }
    run!("E6", attacker::refusals);
    run!("E6", attacker::readers);
    run!("F5", mail::every_mail_arrives);
    run!("R1", crash::killed_while_people_register);
    run!("R2", crash::postgresql_killed_under_load);
    run!("R3", network::dead_slow_and_reset);
    run!("R4", network::table_locked);
    run!("R5", flood::logins);
    run!("R5", flood::imported_logins);
    run!("R6", flood::large_bodies);
    run!("R7", flood::slow_connections);
    run!("R8", crash::terminated_with_logins_under_way);
    run!("R8", rolling::behind_nginx);
    run!("R9", instances::four_start_at_once);
    run!("R10", disk::full);
    run!("R11", clock::jumps);
    run!("R12", instances::sessions_end_everywhere);
    run!("R15", failover::primary_is_replaced);
    run!("R16", pooler::between);
    run!("R17", instances::twelve_share_a_database);
    if scale.full {
        run!("R14", soak::ten_minutes);
    }
    report.finish()
}
