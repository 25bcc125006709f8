//! R14: ten minutes of everyday use.

use std::time::{Duration, Instant};

use crate::Scale;
use crate::load::{counts, get, log_in, me, register, steady};
use crate::report::Report;
use crate::server::{Server, somebody};

pub async fn ten_minutes(report: &mut Report, _: Scale) {
    let server = Server::start();
    let address = server.address();
    let miguel = somebody(address, "miguel").await;
    somebody(address, "susan").await;
    let (mut outcomes, mut early, mut most) = (Vec::new(), 0.0, 0.0_f64);
    let began = Instant::now();
    for minute in 0..10 {
        let cookie = miguel.clone();
        let ask = move |n: usize| match n % 50 {
            0 => log_in("susan"),
            1 => register(&format!("m{minute}-{n}")),
            2 => get("sessions", "/api/sessions", &cookie),
            3 => get("events", "/api/me/events", &cookie),
            4 => get("nobody", "/api/me", "latchkey_session=nothing"),
            _ => me(&cookie),
        };
        outcomes.extend(steady(address, 500, Duration::from_secs(60), ask).await);
        let memory = server.memory();
        eprintln!("minute {}: {memory:.1} MiB", minute + 1);
        match minute {
            0 => {}
            1 => early = memory,
            _ => most = most.max(memory),
        }
    }
    let failed = outcomes
        .iter()
        .filter(|one| one.status >= 500 || one.status == 0);
    let failed = failed.count();
    report.tell(
        &format!("answers in {:.0} s", began.elapsed().as_secs_f32()),
        counts(&outcomes),
    );
    report.none("5xx or no answer", failed);
    let growth = (most / early - 1.0) * 100.0;
    report.check(
        "memory after minute 2",
        format!("{early:.1} MiB, then at most {growth:+.1} %"),
        "< 5 %",
        growth < 5.0,
    );
}
