//! F5: whoever was told that a mail is on its way gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, spawn_blocking};

use crate::Scale;
use crate::load::{Caller, post};
use crate::process::Process;
use crate::report::Report;
use crate::server::{psql, sockets, time_until};
use crate::shared::Shared;
use crate::smtp::{Mode, Received, Smtp};

/// Mails that an instance sends at a time. A kill can repeat no more.
const AT_ONCE: usize = 8;

/// Two instances, and their mail server.
struct Post {
    shared: Shared,
    smtp: Smtp,
    instances: Vec<Process>,
}

/// Who got a 202, and when.
type Acknowledged = BTreeMap<String, Instant>;

impl Post {
    async fn start() -> Self {
        let mut post = Self {
            shared: Shared::start().await,
            smtp: Smtp::start().await,
            instances: Vec::new(),
        };
        for _ in 0..2 {
            let instance = post.instance().await;
            post.instances.push(instance);
        }
        post
    }

    async fn instance(&self) -> Process {
        let mut command = self.shared.command(&self.shared.url("postgres"));
        let url = format!("smtp://127.0.0.1:{}", self.smtp.port);
        command.env("LATCHKEY_SMTP_URL", url);
        // Else it has the port, and each start another one.
        command.env("LATCHKEY_PUBLIC_URL", "http://localhost:8080");
        spawn_blocking(move || Process::spawn(&mut command))
            .await
            .unwrap()
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let instances = self.instances.iter();
        instances.map(|instance| instance.address).collect()
    }

    /// Adds users, each of whom then forgets their password. Ends when all were answered.
    async fn forgot(&self, round: &str, count: usize) -> tokio::task::JoinHandle<Acknowledged> {
        let add = format!(
            "insert into users (username, email, email_verified_at) select '{round}' || n, \
             '{round}' || n || '@example.com', now() from generate_series(0, {count} - 1) n"
        );
        self.shared.sql(&add).await;
        let (next, acknowledged) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let mut people = JoinSet::new();
        for address in self.addresses().into_iter().cycle().take(8) {
            let (next, acknowledged) = (
                next.clone(),
                Arc::<Mutex<Acknowledged>>::clone(&acknowledged),
            );
            let round = round.to_owned();
            people.spawn(async move {
                let mut line = Caller::to(address);
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    let to = format!("{round}{n}@example.com");
                    let body = format!("{{\"email\": \"{to}\"}}");
                    let asked = line
                        .ask(&post("forgot", "/api/password/forgot", "", &body))
                        .await;
                    if asked.status == 202 {
                        acknowledged.lock().unwrap().insert(to, asked.answered());
                    }
                }
            });
        }
        tokio::spawn(async move {
            people.join_all().await;
            acknowledged.lock().unwrap().clone()
        })
    }

    /// A number that the database knows.
    async fn count(&self, sql: &str) -> i64 {
        let client = psql(&sockets(&self.shared.place.0)).await.unwrap();
        client.query_one(sql, &[]).await.unwrap().get(0)
    }

    async fn until_sent(&self) {
        time_until(async || self.count("select count(*) from mails").await == 0).await;
    }

    /// The mails to the users of a round, the oldest first.
    fn mails(&self, round: &str) -> Vec<Received> {
        let mut mails = self.smtp.mails();
        mails.retain(|mail| mail.to[0].starts_with(round));
        mails
    }

    /// How many of these links set no password.
    async fn dead_links(&self, mails: impl IntoIterator<Item = &Received>) -> usize {
        let mut line = Caller::to(self.addresses()[1]);
        let mut dead = 0;
        for mail in mails {
            let body = format!(
                "{{\"token\": \"{}\", \"password\": \"seven-Boats-under-9-moons\"}}",
                mail.token()
            );
            let reset = line
                .ask(&post("reset", "/api/password/reset", "", &body))
                .await;
            dead += usize::from(reset.status != 204);
        }
        dead
    }
}

fn lost(acknowledged: &Acknowledged, mails: &[Received]) -> usize {
    let arrived: BTreeSet<&str> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
    let lost = acknowledged
        .keys()
        .filter(|to| !arrived.contains(to.as_str()));
    lost.count()
}

/// The mails that came more than once, by address.
fn repeated(mails: &[Received]) -> Vec<Vec<&Received>> {
    let mut by_address: BTreeMap<&str, Vec<&Received>> = BTreeMap::new();
    for mail in mails {
        by_address.entry(&mail.to[0]).or_default().push(mail);
    }
    by_address
        .into_values()
        .filter(|same| same.len() > 1)
        .collect()
}

fn longest_wait(acknowledged: &Acknowledged, mails: &[Received]) -> Duration {
    let waits = mails.iter().filter_map(|mail| {
        let asked = acknowledged.get(&mail.to[0])?;
        Some(mail.at.saturating_duration_since(*asked))
    });
    waits.max().unwrap_or_default()
}

/// F5: nothing acknowledged is lost, and nothing is sent twice without need.
pub async fn every_mail_arrives(report: &mut Report, scale: Scale) {
    let mut post = Post::start().await;
    undisturbed(report, scale, &post).await;
    killed(report, scale, &mut post).await;
    without_server(report, scale, &mut post).await;
}

async fn undisturbed(report: &mut Report, scale: Scale, post: &Post) {
    let count = scale.of(150, 1000);
    let began = Instant::now();
    let acknowledged = post.forgot("calm", count).await.await.unwrap();
    post.until_sent().await;
    let mails = post.mails("calm");
    let last = mails.iter().map(|mail| mail.at).max().unwrap();
    let rate = mails.len() as f64 / (last - began).as_secs_f64();
    report.tell(
        "two instances: mails per second, asked for and sent",
        format!("{rate:.0}"),
    );
    report.none(
        "of all that were asked for, refused",
        count - acknowledged.len(),
    );
    report.none("acknowledged, never mailed", lost(&acknowledged, &mails));
    report.none("mailed twice", repeated(&mails).len());
    report.within(
        "202 to its mail, worst",
        longest_wait(&acknowledged, &mails),
        Duration::from_secs(30),
    );
}

/// kill -9 of an instance that sends, which then comes back.
async fn killed(report: &mut Report, scale: Scale, post: &mut Post) {
    let (count, kills) = (scale.of(150, 1000), scale.of(2, 5));
    // The answer to a mail takes as long, too. A kill as soon as some arrived finds them accepted and not removed.
    post.smtp
        .set(Mode::Slow(Duration::from_millis(scale.of(15, 5))));
    let asking = post.forgot("kill", count).await;
    for kill in 1..=kills {
        let enough = count * kill / (kills + 2);
        time_until(async || post.mails("kill").len() >= enough).await;
        post.instances[0].signal("KILL");
        post.instances[0].wait();
        post.instances[0] = post.instance().await;
    }
    let acknowledged = asking.await.unwrap();
    // What is left was claimed by the dead. Claims last a minute.
    let others = "select count(*) from mails where claimed_until is null or claimed_until > now() + interval '58 seconds'";
    time_until(async || post.count(others).await == 0).await;
    if scale.of(false, true) {
        tokio::time::sleep(Duration::from_secs(58)).await;
    } else {
        let over = "update mails set claimed_until = now()";
        post.shared.sql(over).await;
    }
    post.until_sent().await;
    post.smtp.set(Mode::Normal);
    let mails = post.mails("kill");
    let twice = repeated(&mails);
    report.tell(
        &format!("around {kills} kills: acknowledged, longest wait"),
        format!(
            "{}, {:.1?}",
            acknowledged.len(),
            longest_wait(&acknowledged, &mails)
        ),
    );
    report.none("acknowledged, never mailed", lost(&acknowledged, &mails));
    report.check(
        "mailed twice",
        twice.len(),
        &format!("≤ {}", AT_ONCE * kills),
        twice.len() <= AT_ONCE * kills,
    );
    let differs = |same: &&Vec<&Received>| {
        let first = (same[0].message_id(), same[0].link());
        same.iter()
            .any(|mail| (mail.message_id(), mail.link()) != first)
    };
    report.none(
        "of those, with another Message-ID or link",
        twice.iter().filter(differs).count(),
    );
    let again = twice.iter().map(|same| same[same.len() - 1]);
    report.none(
        "of those, links that do not work",
        post.dead_links(again).await,
    );
}

/// Ten minutes without a mail server, by moving the clock of the mails.
async fn without_server(report: &mut Report, scale: Scale, post: &mut Post) {
    let count = scale.of(150, 1000);
    post.smtp.stop().await;
    let acknowledged = post.forgot("down", count).await.await.unwrap();
    for tries in 1..=6 {
        let untried = format!(
            "select count(*) from mails where tries < {tries} or claimed_until is not null"
        );
        time_until(async || post.count(&untried).await == 0).await;
        if tries == 6 {
            break;
        }
        pass(post, 10 << (tries - 1)).await;
    }
    post.smtp.open().await;
    let up = Instant::now();
    pass(post, 320).await;
    post.until_sent().await;
    let mails = post.mails("down");
    report.none(
        "ten minutes without a mail server: requests refused",
        count - acknowledged.len(),
    );
    report.none("acknowledged, never mailed", lost(&acknowledged, &mails));
    report.none("mailed twice", repeated(&mails).len());
    report.tell(
        "the next try is due to the last mail",
        format!("{:.1?}", up.elapsed()),
    );
    let some = mails.iter().step_by(count / 10);
    report.none("of ten links, not working", post.dead_links(some).await);
}

/// Has this many seconds pass for the mails and their tokens.
async fn pass(post: &Post, seconds: u32) {
    let ago = format!("interval '{seconds} seconds'");
    let sql = format!(
        "update mails set created_at = created_at - {ago}, due_at = due_at - {ago}; \
         update tokens set created_at = created_at - {ago}, expires_at = expires_at - {ago}"
    );
    post.shared.sql(&sql).await;
}
