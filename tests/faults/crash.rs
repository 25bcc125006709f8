//! R1, R2, R8: kill -9, PostgreSQL killed, SIGTERM.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::Scale;
use crate::load::{
    Caller, counts, get, hammer, improper, log_in, me, of_kind, percentile, register, steady,
    with_status,
};
use crate::process::{Process, TempDir};
use crate::report::Report;
use crate::server::{Server, cookie, kill, postmaster, psql, somebody, time_until, unlimited};

/// R1: nothing acknowledged is lost. PostgreSQL is killed too in every other round.
pub async fn killed_while_people_register(report: &mut Report, scale: Scale) {
    let data = TempDir::new();
    let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
    let rounds = scale.of(4, 20);
    let (mut slowest, mut lost, mut checked) = (Duration::ZERO, 0, 0);
    for round in 0..=rounds {
        let began = Instant::now();
        let mut process = Process::spawn(&mut unlimited(&data.0));
        let names = acknowledged.lock().unwrap().clone();
        if let Some(last) = names.last() {
            let mut line = Caller::to(process.address);
            let first = line.ask(&log_in(last)).await;
            slowest = slowest.max(began.elapsed());
            lost += usize::from(first.status != 200);
        }
        for name in &names[checked..] {
            lost += usize::from(Caller::to(process.address).ask(&log_in(name)).await.status != 200);
        }
        checked = names.len();
        if round == rounds {
            break;
        }
        let mut people = tokio::task::JoinSet::new();
        for person in 0..8 {
            let (address, acknowledged) = (process.address, acknowledged.clone());
            people.spawn(async move {
                let mut line = Caller::to(address);
                for n in 0.. {
                    let name = format!("u{round}-{person}-{n}");
                    match line.ask(&register(&name)).await.status {
                        201 => acknowledged.lock().unwrap().push(name),
                        _ => return,
                    }
                }
            });
        }
        // At a different moment in each round.
        tokio::time::sleep(Duration::from_millis(300 + 37 * round)).await;
        if round % 2 == 1 {
            kill(&postmaster(&data.0).unwrap());
        }
        process.signal("KILL");
        process.wait();
        people.join_all().await;
    }
    report.tell("rounds, users acknowledged", format!("{rounds}, {checked}"));
    report.none("acknowledged users who cannot log in", lost);
    report.within(
        "kill -9 to the first login, worst",
        slowest,
        Duration::from_secs(2),
    );
}

/// R2: PostgreSQL is killed and restarts under 200 requests a second.
pub async fn postgresql_killed_under_load(report: &mut Report, scale: Scale) {
    let server = Server::start();
    let (address, pid) = (server.address(), server.process.child.id());
    let miguel = somebody(address, "miguel").await;
    somebody(address, "susan").await;
    let ask = move |n: usize| match n % 20 {
        0 | 10 => log_in("susan"),
        1 => get("live", "/health/live", ""),
        2 => get("ready", "/health/ready", ""),
        3 => get("sessions", "/api/sessions", &miguel),
        _ => me(&miguel),
    };
    let kills = scale.of(2, 10);
    let load =
        tokio::spawn(
            async move { steady(address, 200, Duration::from_secs(1 + 4 * kills), ask).await },
        );
    let (mut killed, mut accepting) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_secs(2)).await;
        kill(&server.postmaster().unwrap());
        killed.push(Instant::now());
        // The old server may still answer for a moment. What counts is a connection after a refusal.
        time_until(async || psql(&server.sockets()).await.is_none()).await;
        time_until(async || psql(&server.sockets()).await.is_some()).await;
        accepting.push(Instant::now());
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    let outcomes = load.await.unwrap();
    let mut slowest = Duration::ZERO;
    for (killed, accepting) in killed.iter().zip(&accepting) {
        let good = outcomes.iter().filter(|outcome| {
            outcome.kind == "login" && outcome.status == 200 && outcome.sent > *killed
        });
        let first = good.map(|outcome| outcome.answered()).min().unwrap();
        slowest = slowest.max(first.saturating_duration_since(*accepting));
    }
    let (live, ready) = (of_kind(&outcomes, "live"), of_kind(&outcomes, "ready"));
    report.tell(&format!("answers around {kills} kills"), counts(&outcomes));
    report.none(
        "answers that are neither good nor 503 with Retry-After",
        improper(&outcomes),
    );
    report.within(
        "p99 of all answers",
        percentile(&outcomes, 0.99),
        Duration::from_millis(2500),
    );
    report.none(
        "live answers other than 200",
        live.len() - with_status(&live, 200),
    );
    report.check(
        "ready answers with 503",
        with_status(&ready, 503),
        "> 0",
        with_status(&ready, 503) > 0,
    );
    report.within(
        "PostgreSQL accepting to the first login, worst",
        slowest,
        Duration::from_secs(2),
    );
    let same = server.process.child.id() == pid && cookie(address, "susan").await.contains('=');
    report.check("the same process still serving", same, "true", same);
}

/// R8: requests under way at SIGTERM are answered.
pub async fn terminated_with_logins_under_way(report: &mut Report, scale: Scale) {
    let (mut unanswered, mut slowest, mut unready) = (0, Duration::ZERO, true);
    for _ in 0..scale.of(1, 5) {
        let mut server = Server::start();
        let address = server.address();
        somebody(address, "susan").await;
        let logins = tokio::spawn(hammer(address, 50, Duration::from_millis(60), |_| {
            log_in("susan")
        }));
        let mut balancer = Caller::to(address);
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.process.signal("TERM");
        let began = Instant::now();
        let mut said_no = false;
        while began.elapsed() < Duration::from_millis(400) && !said_no {
            let ready = balancer.ask(&get("ready", "/health/ready", "")).await;
            said_no = ready.status == 503;
        }
        unready &= said_no;
        let outcomes = logins.await.unwrap();
        unanswered += outcomes.len() - with_status(&outcomes, 200);
        let code = server.process.wait().code();
        slowest = slowest.max(began.elapsed());
        report.check("exit code", format!("{code:?}"), "Some(0)", code == Some(0));
    }
    report.none("of 50 logins under way, not answered with 200", unanswered);
    report.check("ready said 503 first", unready, "true", unready);
    report.within(
        "SIGTERM to the end, worst",
        slowest,
        Duration::from_secs(10),
    );
}
