//! Which node accepts writes, and from when on: a row into a table of its own, every few milliseconds, past HAProxy.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{DATABASE, Node, USER, connect};

const EVERY: Duration = Duration::from_millis(20);
/// A commit may wait for a standby that is gone.
const PATIENCE: Duration = Duration::from_millis(500);

/// One attempt to write.
#[derive(Clone, Copy)]
pub struct Attempt {
    pub node: usize,
    pub accepted: bool,
    pub sent: Instant,
    pub answered: Instant,
}

/// Watches all nodes until it is dropped.
pub struct Watch {
    attempts: Arc<Mutex<Vec<Attempt>>>,
    _tasks: JoinSet<()>,
}

/// The time without a primary.
#[derive(Clone, Copy)]
pub struct Gap {
    /// When the former primary first failed.
    pub from: Instant,
    /// When the last attempt before the new primary's first success was sent.
    pub until: Instant,
    /// When the new primary first accepted a row.
    pub accepting: Instant,
}

impl Watch {
    pub async fn start(nodes: &[Node], primary: usize) -> Self {
        let client = connect(&nodes[primary], USER, DATABASE).await.unwrap();
        let table = "create table probes (at timestamptz not null default now())";
        client.batch_execute(table).await.unwrap();
        let attempts: Arc<Mutex<Vec<Attempt>>> = Arc::default();
        let mut tasks = JoinSet::new();
        for (n, node) in nodes.iter().cloned().enumerate() {
            let attempts = attempts.clone();
            tasks.spawn(async move {
                let mut client = None;
                loop {
                    let sent = Instant::now();
                    let accepted = timeout(PATIENCE, write(&node, &mut client)).await;
                    let accepted = accepted.is_ok_and(|result| result.is_some());
                    let answered = Instant::now();
                    attempts.lock().unwrap().push(Attempt {
                        node: n,
                        accepted,
                        sent,
                        answered,
                    });
                    tokio::time::sleep(EVERY).await;
                }
            });
        }
        Self {
            attempts,
            _tasks: tasks,
        }
    }

    /// The gap that began after `since`, once another node than `former` accepts writes.
    pub fn gap(&self, former: usize, since: Instant) -> Option<Gap> {
        let attempts = self.attempts.lock().unwrap();
        let first = attempts
            .iter()
            .filter(|one| one.accepted && one.node != former && one.sent > since)
            .min_by_key(|one| one.answered)?;
        let before = |node: usize, accepted: bool| {
            let those = attempts.iter().filter(move |one| {
                one.node == node && one.accepted == accepted && one.answered < first.answered
            });
            those.copied()
        };
        let last = before(former, true).map(|one| one.answered).max()?;
        let failed = before(former, false).filter(|one| one.sent > last);
        Some(Gap {
            from: failed
                .map(|one| one.answered)
                .min()
                .unwrap_or(first.answered),
            until: before(first.node, false).map(|one| one.sent).max()?,
            accepting: first.answered,
        })
    }
}

/// Keeps the connection if all went well, or if the node only refused to write.
async fn write(node: &Node, kept: &mut Option<tokio_postgres::Client>) -> Option<()> {
    let client = match kept.take() {
        Some(client) => client,
        None => connect(node, USER, DATABASE).await?,
    };
    let done = client
        .batch_execute("insert into probes default values")
        .await;
    if !client.is_closed() {
        *kept = Some(client);
    }
    done.ok()
}
