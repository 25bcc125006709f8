//! R15: the primary of a cluster hands over or dies, and Latchkey goes on with the next one.

use std::time::{Duration, Instant};

use crate::Scale;
use crate::load::{Caller, me, post};
use crate::patroni::watch::{Gap, Watch};
use crate::patroni::{Cluster, DATABASE, USER, connect};
use crate::process::{Process, TempDir};
use crate::report::Report;
use crate::server::{cookie, on_database, somebody, time_until, until_over};
use crate::visitors::Visitors;

mod figures;

/// The ways to the database, one for each instance.
const WAYS: [&str; 3] = [
    "HAProxy that cuts connections",
    "HAProxy that does not",
    "three hosts in DATABASE_URL",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// As an operator does before maintenance.
    Switchover,
    /// kill -9 of everything on the primary's machine.
    Death,
}

/// What one fault did.
struct Outage {
    fault: Fault,
    began: Instant,
    gap: Gap,
    /// From the new primary's first accepted row to each instance's first login.
    logins: Vec<Duration>,
    /// From a logout on one instance until all others say 401, worst.
    logout: Duration,
    /// How many instances listen on the new primary.
    listening: usize,
}

/// Short: one switchover. Full: three, and three deaths after which the dead node joins again.
pub async fn primary_is_replaced(report: &mut Report, scale: Scale) {
    let mut cluster = Cluster::start().await;
    let data = TempDir::new();
    let mut instances = instances(&cluster, &data);
    let pids: Vec<u32> = instances.iter().map(|one| one.child.id()).collect();
    let watch = Watch::start(&cluster.plan.nodes, cluster.whole().await).await;
    somebody(instances[0].address, "leaves").await;
    let addresses = instances.iter().map(|one| one.address).collect();
    let visitors = Visitors::arrive(addresses).await;
    let both = [Fault::Switchover, Fault::Death].repeat(3);
    let rounds = scale.of(&both[..1], &both[..]);
    let mut outages = Vec::new();
    for fault in rounds {
        outages.push(replace(*fault, &mut cluster, &instances, &watch, &visitors).await);
    }
    let primary = cluster.whole().await;
    let journal = visitors.leave().await;
    figures::acknowledged(report, &cluster, primary, &instances, &journal, &outages).await;
    figures::answers(report, &journal, &outages);
    figures::times(report, &outages);
    let running = |one: &mut Process| matches!(one.child.try_wait(), Ok(None));
    let same =
        instances.iter().map(|one| one.child.id()).eq(pids) && instances.iter_mut().all(running);
    report.check("the same processes still serving", same, "true", same);
}

/// Instances of the real binary on the same database, each by another way. Not concurrently: the thread that spawned a
/// process waits for it.
fn instances(cluster: &Cluster, data: &TempDir) -> Vec<Process> {
    let plan = &cluster.plan;
    let nodes: Vec<_> = plan
        .nodes
        .iter()
        .map(|node| node.postgresql.to_string())
        .collect();
    let hosts = [
        plan.cutting.to_string(),
        plan.keeping.to_string(),
        nodes.join(","),
    ];
    let start = |hosts: &String| Process::spawn(&mut on_database(&data.0, &Cluster::url(hosts)));
    hosts.iter().map(start).collect()
}

/// Replaces the primary under load, and waits until everything is as before.
async fn replace(
    fault: Fault,
    cluster: &mut Cluster,
    instances: &[Process],
    watch: &Watch,
    visitors: &Visitors,
) -> Outage {
    let former = cluster.whole().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let heard: Vec<usize> = instances.iter().map(|one| channel(one).0).collect();
    let began = Instant::now();
    match fault {
        Fault::Switchover => cluster.switch_over(former).await,
        Fault::Death => cluster.kill(former),
    }
    time_until(async || watch.gap(former, began).is_some()).await;
    let gap = watch.gap(former, began).unwrap();
    let first = |instance: usize| visitors.journal().first_login(instance, gap.accepting);
    let all = 0..instances.len();
    time_until(async || all.clone().all(|instance| first(instance).is_some())).await;
    let logins = all
        .map(|instance| first(instance).unwrap() - gap.accepting)
        .collect();
    time_until(async || {
        let mut before = instances.iter().zip(&heard);
        before.all(|(one, before)| channel(one).0 > *before && channel(one).1)
    })
    .await;
    let logout = leave_everywhere(instances).await;
    if fault == Fault::Death {
        cluster.revive(former);
    }
    let primary = cluster.whole().await;
    let client = connect(&cluster.plan.nodes[primary], USER, DATABASE)
        .await
        .unwrap();
    let listeners =
        "select count(*) from pg_stat_activity where application_name = 'latchkey listener'";
    let listening: i64 = client.query_one(listeners, &[]).await.unwrap().get(0);
    Outage {
        fault,
        began,
        gap,
        logins,
        logout,
        listening: usize::try_from(listening).unwrap(),
    }
}

/// How often an instance said that it hears of changes again, and whether that is the latest news. The cache opens then.
fn channel(instance: &Process) -> (usize, bool) {
    let output = instance.output.lock().unwrap();
    let (back, lost) = (
        "the notification channel is back",
        "lost the notification channel",
    );
    (
        output.matches(back).count(),
        output.rfind(back) > output.rfind(lost),
    )
}

/// Logs out on each instance; returns the longest time until all others said 401.
async fn leave_everywhere(instances: &[Process]) -> Duration {
    let mut slowest = Duration::ZERO;
    for here in instances {
        let cookie = cookie(here.address, "leaves").await;
        let others = || instances.iter().filter(|one| one.address != here.address);
        let mut lines: Vec<_> = others().map(|one| Caller::to(one.address)).collect();
        for line in &mut lines {
            assert_eq!(
                line.ask(&me(&cookie)).await.status,
                200,
                "a login counts everywhere"
            );
        }
        let left = Caller::to(here.address)
            .ask(&post("logout", "/api/logout", &cookie, "{}"))
            .await;
        assert_eq!(left.status, 204);
        for line in &mut lines {
            slowest = slowest.max(until_over(line, &cookie, left.answered()).await);
        }
    }
    slowest
}
