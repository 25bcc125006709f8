//! R9, R12, R17: several instances on one database.

use std::time::{Duration, Instant};

use crate::Scale;
use crate::load::{Caller, counts, get, hammer, improper, log_in, me, post, with_status};
use crate::report::Report;
use crate::server::{cookie, psql, sockets, somebody, until_over};
use crate::shared::Shared;

/// R9: all of them serve, and the migrations run once.
pub async fn four_start_at_once(report: &mut Report, scale: Scale) {
    let shared = Shared::start().await;
    let rounds = scale.of(3, 20);
    let (mut not_serving, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let name = format!("empty{round}");
        shared.sql(&format!("create database {name}")).await;
        let began = Instant::now();
        let starting: Vec<_> = (0..4)
            .map(|_| shared.instance(&shared.url(&name)))
            .collect();
        let mut instances = Vec::new();
        for one in starting {
            instances.push(one.await.unwrap());
        }
        slowest = slowest.max(began.elapsed());
        let susan = somebody(instances[0].address, "susan").await;
        for instance in &instances {
            let mut caller = Caller::to(instance.address);
            let ready = caller.ask(&get("ready", "/health/ready", "")).await;
            let recognised = caller.ask(&me(&susan)).await;
            not_serving += usize::from(ready.status != 200 || recognised.status != 200);
        }
    }
    report.none(
        &format!("of {} instances, not serving", rounds * 4),
        not_serving,
    );
    report.tell(
        "four on two cores, until all are ready, worst",
        format!("{slowest:.1?}"),
    );
}

/// R17: twelve instances share the 100 connections that PostgreSQL allows by default, although they may want 156.
pub async fn twelve_share_a_database(report: &mut Report, scale: Scale) {
    let shared = Shared::start().await;
    let url = shared.url("postgres");
    let began = Instant::now();
    let starting: Vec<_> = (0..12).map(|_| shared.instance(&url)).collect();
    let mut instances = Vec::new();
    for one in starting {
        instances.push(one.await.unwrap());
    }
    report.tell(
        "twelve instances on two cores, until all are ready",
        format!("{:.1?}", began.elapsed()),
    );
    let susan = somebody(instances[0].address, "susan").await;
    let mut strangers = 0;
    for instance in &instances {
        let known = Caller::to(instance.address).ask(&me(&susan)).await;
        strangers += usize::from(known.status != 200);
    }
    report.none("of twelve instances, not serving", strangers);
    let time = Duration::from_secs(scale.of(8, 30));
    let loads: Vec<_> = instances
        .iter()
        .map(|instance| {
            let susan = susan.clone();
            let ask = move |n: usize| match n % 4 {
                0 => log_in("nobody"),
                1 => get("sessions", "/api/sessions", &susan),
                2 => get("ready", "/health/ready", ""),
                _ => get("events", "/api/me/events", &susan),
            };
            tokio::spawn(hammer(instance.address, 16, time, ask))
        })
        .collect();
    let mut outcomes = Vec::new();
    for load in loads {
        outcomes.extend(load.await.unwrap());
    }
    report.tell("16 clients at each of them: answers", counts(&outcomes));
    let refused = with_status(&outcomes, 401);
    report.none(
        "neither good, nor a refused login, nor 503 with Retry-After",
        improper(&outcomes) - refused,
    );
    report.tell(
        "their connections, as soon as another one is accepted",
        connections(&shared).await,
    );
    if scale.of(false, true) {
        // Idle ones are closed after a minute. Each keeps one to listen and, for each worker, one to read.
        tokio::time::sleep(Duration::from_secs(90)).await;
        let kept = connections(&shared).await;
        report.check("their connections 90 s later", kept, "≤ 36", kept <= 36);
    }
}

async fn connections(shared: &Shared) -> i64 {
    let of_instances =
        "select count(*) from pg_stat_activity where application_name like 'latchkey%'";
    let client = loop {
        // The instances may have all that there are, until those have been idle for a minute.
        match psql(&sockets(&shared.place.0)).await {
            Some(client) => break client,
            None => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    };
    client.query_one(of_instances, &[]).await.unwrap().get(0)
}

/// R12: a logout on one instance counts on the other, even with its listener cut.
pub async fn sessions_end_everywhere(report: &mut Report, scale: Scale) {
    let shared = Shared::start().await;
    let url = shared.url("postgres");
    let (a, b) = (shared.instance(&url), shared.instance(&url));
    let (a, b) = (a.await.unwrap(), b.await.unwrap());
    somebody(a.address, "susan").await;
    let (mut on_a, mut on_b) = (Caller::to(a.address), Caller::to(b.address));
    let log_out = |cookie: &str| post("logout", "/api/logout", cookie, "{}");
    let rounds = scale.of(100, 1000);
    let (mut delays, mut unknown, mut revived) = (Vec::new(), 0, 0);
    for _ in 0..rounds {
        let susan = cookie(a.address, "susan").await;
        unknown += usize::from(on_b.ask(&me(&susan)).await.status != 200);
        let left = on_a.ask(&log_out(&susan)).await;
        assert_eq!(left.status, 204);
        delays.push(until_over(&mut on_b, &susan, left.answered()).await);
        for _ in 0..5 {
            revived += usize::from(on_b.ask(&me(&susan)).await.status == 200);
        }
    }
    delays.sort();
    report.none(&format!("of {rounds} sessions on A, unknown to B"), unknown);
    // A logout is announced at once; found by the look every 50 ms, the median would be 25 ms.
    report.within(
        "logout on A until B says 401, median",
        delays[delays.len() / 2],
        Duration::from_millis(10),
    );
    report.within(
        "logout on A until B says 401, worst",
        delays[delays.len() - 1],
        Duration::from_millis(100),
    );
    report.none("recognized again afterwards", revived);

    let mut slowest = Duration::ZERO;
    for _ in 0..scale.of(20, 200) {
        let susan = cookie(a.address, "susan").await;
        assert_eq!(on_b.ask(&me(&susan)).await.status, 200);
        shared.sql("delete from sessions").await;
        slowest = slowest.max(until_over(&mut on_b, &susan, Instant::now()).await);
    }
    report.within(
        "delete in psql until B says 401, worst",
        slowest,
        Duration::from_millis(300),
    );

    let rounds = scale.of(20, 200);
    let mut stale = 0;
    for _ in 0..rounds {
        let susan = cookie(a.address, "susan").await;
        assert_eq!(on_b.ask(&me(&susan)).await.status, 200);
        shared
            .sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'latchkey listener'")
            .await;
        let left = on_a.ask(&log_out(&susan)).await;
        assert_eq!(left.status, 204);
        for _ in 0..20 {
            stale += usize::from(on_b.ask(&me(&susan)).await.status == 200);
        }
    }
    report.none(
        &format!("stale answers in {rounds} cuts of the listener"),
        stale,
    );
}
