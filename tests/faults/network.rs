//! R3, R4: a bad network to PostgreSQL, and a table that somebody else holds.

use std::time::{Duration, Instant};

use crate::Scale;
use crate::load::{
    Outcome, counts, get, hammer, improper, log_in, me, register, steady, with_status, worst,
};
use crate::proxy::{Line, Proxy};
use crate::report::Report;
use crate::server::{Server, psql, sockets, somebody, status_of_me, time_until};
use crate::shared::Shared;

/// R3: dead, slow and cut lines.
pub async fn dead_slow_and_reset(report: &mut Report, scale: Scale) {
    let shared = Shared::start().await;
    let socket = sockets(&shared.place.0).join(".s.PGSQL.5432");
    let mut proxy = Proxy::start(socket, Line::Good).await;
    let url = format!("postgres://latchkey@127.0.0.1:{}/postgres", proxy.port);
    let process = shared.instance(&url).await.unwrap();
    let address = process.address;
    let miguel = somebody(address, "miguel").await;
    somebody(address, "susan").await;
    let time = Duration::from_secs(scale.of(6, 20));
    for (name, line) in [
        ("dead", Some(Line::Dead)),
        ("2 s slow", Some(Line::Slow(Duration::from_secs(2)))),
        ("cut", None),
    ] {
        let cookie = miguel.clone();
        let ask = move |n: usize| match n % 10 {
            0 => log_in("susan"),
            1 => get("sessions", "/api/sessions", &cookie),
            2 => get("ready", "/health/ready", ""),
            3 => register(&format!("r{}-{n}", name.len())),
            _ => me(&cookie),
        };
        match line {
            Some(line) => proxy.set(line),
            None => proxy.close().await,
        }
        let outcomes = steady(address, 50, time, ask).await;
        match line {
            Some(_) => proxy.set(Line::Good),
            None => proxy.open().await,
        }
        let back = time_until(async || {
            status_of_me(address, &miguel).await == 200
                && crate::load::Caller::to(address)
                    .ask(&log_in("susan"))
                    .await
                    .status
                    == 200
        })
        .await;
        report.tell(&format!("{name}: answers"), counts(&outcomes));
        // Names taken twice because a registration was done but not acknowledged would be 422; here all are new.
        report.none(
            &format!("{name}: neither good nor 503 with Retry-After"),
            improper(&outcomes),
        );
        let slowest = worst(&outcomes);
        report.within(
            &format!("{name}: slowest answer"),
            slowest,
            Duration::from_secs(3),
        );
        report.within(
            &format!("{name}: back to good"),
            back,
            Duration::from_secs(5),
        );
    }
}

/// R4: 200 clients while somebody holds the table of users.
pub async fn table_locked(report: &mut Report, scale: Scale) {
    let server = Server::start();
    let address = server.address();
    somebody(address, "susan").await;
    let hold = Duration::from_secs(scale.of(6, 20));
    // On a busy machine three seconds may be slow by chance; what does not recover is slow every time.
    let mut tries = 0;
    loop {
        tries += 1;
        let held = hold_users(&server, hold).await;
        held.answers(report);
        let after = good_rate(&held.outcomes, held.released + Duration::from_secs(1));
        let after = after / good_rate(&held.outcomes, held.locked - MEASURED);
        if after >= 0.8 || tries == 3 {
            report.check(
                "rate from 1 s after, of the usual",
                format!("{after:.2} (try {tries} of 3)"),
                "≥ 0.80",
                after >= 0.8,
            );
            break;
        }
    }
}

/// For how long the rate before a lock and the one after it are taken. The machine is as fast for both: they are
/// seconds apart.
const MEASURED: Duration = Duration::from_secs(3);

/// Good answers a second.
fn good_rate(outcomes: &[Outcome], from: Instant) -> f64 {
    let within = |outcome: &&Outcome| {
        let at = outcome.answered().saturating_duration_since(from);
        outcome.status == 200 && outcome.answered() > from && at < MEASURED
    };
    outcomes.iter().filter(within).count() as f64 / MEASURED.as_secs_f64()
}

/// What 200 clients saw of a lock on the table of users.
struct Held {
    outcomes: Vec<Outcome>,
    locked: Instant,
    released: Instant,
    /// In MiB.
    growth: f64,
}

async fn hold_users(server: &Server, hold: Duration) -> Held {
    let address = server.address();
    let memory = server.memory();
    let locker = psql(&server.sockets()).await.unwrap();
    let warm = Duration::from_secs(1);
    let time = warm + MEASURED + hold + warm + MEASURED;
    let load = tokio::spawn(hammer(address, 200, time, |_| log_in("susan")));
    tokio::time::sleep(warm + MEASURED).await;
    locker
        .batch_execute("begin; lock table users")
        .await
        .unwrap();
    let locked = Instant::now();
    let mut most: f64 = memory;
    while locked.elapsed() < hold {
        tokio::time::sleep(Duration::from_millis(50)).await;
        most = most.max(server.memory());
    }
    let released = Instant::now();
    locker.batch_execute("commit").await.unwrap();
    Held {
        outcomes: load.await.unwrap(),
        locked,
        released,
        growth: most - memory,
    }
}

impl Held {
    /// What was answered while the table was locked.
    fn answers(&self, report: &mut Report) {
        let mut meanwhile = self.outcomes.clone();
        meanwhile
            .retain(|outcome| outcome.sent > self.locked && outcome.answered() < self.released);
        report.tell("answers while it is locked", counts(&meanwhile));
        report.none(
            "answers that are not 503",
            meanwhile.len() - with_status(&meanwhile, 503),
        );
        report.none("without Retry-After", improper(&meanwhile));
        report.within(
            "slowest answer",
            worst(&meanwhile),
            Duration::from_millis(2500),
        );
        report.tell(
            "slowest of those that were under way at its beginning or end too",
            format!("{:.0} ms", worst(&self.outcomes).as_secs_f64() * 1000.0),
        );
        report.check(
            "memory more than before",
            format!("{:.1} MiB", self.growth),
            "≤ 16 MiB",
            self.growth <= 16.0,
        );
    }
}
