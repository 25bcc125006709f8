//! R15: what was measured while primaries were replaced.

use std::time::Duration;

use super::{Fault, Outage, WAYS};
use crate::load::{Caller, Outcome, counts, improper, log_in, me, with_status, worst};
use crate::patroni::watch::Gap;
use crate::patroni::{Cluster, DATABASE, USER, connect};
use crate::process::Process;
use crate::report::Report;
use crate::visitors::{EVERYWHERE, Journal};

/// Nothing acknowledged is lost.
pub async fn acknowledged(
    report: &mut Report,
    cluster: &Cluster,
    primary: usize,
    instances: &[Process],
    journal: &Journal,
    outages: &[Outage],
) {
    let names: Vec<&str> = journal
        .names
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let client = connect(&cluster.plan.nodes[primary], USER, DATABASE)
        .await
        .unwrap();
    let rows = "select count(*) from users where username = any($1)";
    let rows: i64 = client.query_one(rows, &[&names]).await.unwrap().get(0);
    report.none(
        &format!(
            "of {} acknowledged registrations, missing in the database",
            names.len()
        ),
        names.len() - usize::try_from(rows).unwrap(),
    );
    // Those at risk are the last ones before a new primary. All would take minutes.
    let (mut tried, mut lost) = (0, 0);
    for outage in outages {
        let known = journal.names.iter().rev();
        let before = known.filter(|(_, at)| *at < outage.gap.accepting).take(10);
        for (name, _) in before {
            let address = instances[tried % instances.len()].address;
            lost += usize::from(Caller::to(address).ask(&log_in(name)).await.status != 200);
            tried += 1;
        }
    }
    report.none(
        &format!("of the last {tried} before a new primary, who cannot log in"),
        lost,
    );
    let polls = journal.of_kind("ended");
    report.none(
        &format!(
            "of {} tries with a logged-out cookie meanwhile, 200",
            polls.len()
        ),
        with_status(&polls, 200),
    );
    let mut revived = 0;
    for instance in instances {
        let mut line = Caller::to(instance.address);
        for (cookie, _) in &journal.ended {
            revived += usize::from(line.ask(&me(cookie)).await.status != 401);
        }
    }
    report.none(
        &format!(
            "of {} acknowledged logouts, not 401 on every instance afterwards",
            journal.ended.len()
        ),
        revived,
    );
}

/// What was answered, and what ready said while there was no primary.
pub fn answers(report: &mut Report, journal: &Journal, outages: &[Outage]) {
    let all: Vec<Outcome> = journal
        .outcomes
        .iter()
        .map(|(_, one)| one.clone())
        .collect();
    let (ended, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.kind == "ended");
    report.tell("answers", counts(&others));
    report.tell("answers to logged-out cookies", counts(&ended));
    let wrong = |one: &&Outcome| improper(std::slice::from_ref(*one)) > 0;
    for one in others.iter().filter(wrong) {
        eprintln!("{}: {} after {:.0?}", one.kind, one.status, one.took);
    }
    report.none(
        "answers that are neither good nor 503 with Retry-After",
        improper(&others) + improper(&ended) - with_status(&ended, 401),
    );
    let live = journal.of_kind("live");
    report.none(
        "live answers other than 200",
        live.len() - with_status(&live, 200),
    );
    let mut ready = journal.of_kind("ready");
    ready.retain(|one| {
        let within = |gap: Gap| one.sent > gap.from && one.answered() < gap.until;
        outages.iter().any(|outage| within(outage.gap))
    });
    let (said, count) = (with_status(&ready, 503), ready.len());
    report.check(
        "ready answers without a primary that are 503",
        format!("{said} of {count}"),
        "all",
        said == count && count > 0,
    );
    report.tell(
        "slowest answer",
        format!("{:.0} ms", worst(&others).as_secs_f64() * 1000.0),
    );
}

pub fn times(report: &mut Report, outages: &[Outage]) {
    for (fault, name) in [
        (Fault::Switchover, "switchover"),
        (Fault::Death, "kill -9 of a primary"),
    ] {
        let those: Vec<_> = outages.iter().filter(|one| one.fault == fault).collect();
        let longest = those.iter().map(|one| one.gap.accepting - one.began).max();
        if let Some(longest) = longest {
            let what = format!(
                "{} × {name}: until another node accepts writes, worst",
                those.len()
            );
            report.tell(&what, format!("{:.1} s", longest.as_secs_f64()));
        }
    }
    for (n, way) in WAYS.iter().enumerate() {
        let slowest = outages.iter().map(|one| one.logins[n]).max().unwrap();
        report.within(
            &format!("{way}: new primary to the first login, worst"),
            slowest,
            Duration::from_secs(2),
        );
    }
    let deaf = outages.iter().map(|one| WAYS.len() - one.listening);
    report.none(
        "instances that do not listen on the new primary",
        deaf.sum(),
    );
    let slowest = outages.iter().map(|one| one.logout).max().unwrap();
    report.within(
        "then a logout on one until the others say 401, worst",
        slowest,
        EVERYWHERE,
    );
}
