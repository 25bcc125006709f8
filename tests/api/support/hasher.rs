//! Holds up the one thread that hashes (`--hash-workers=1`), to see what waits for it.

use std::sync::mpsc::{Sender, channel};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{App, wait_until};

/// Places in the queue of one worker.
const PLACES: usize = 128;

/// A worker that is busy until it is let go.
pub struct Busy {
    let_go: Sender<()>,
    jobs: Vec<JoinHandle<bool>>,
}

impl App {
    /// The worker has begun a job that lasts, so all that comes now waits.
    pub async fn busy_hasher(&self) -> Busy {
        let (let_go, may_end) = channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let hasher = self.services.hasher.clone();
        let job = tokio::spawn(async move {
            let work = move || {
                let _ = begun.send(());
                may_end.recv().is_ok()
            };
            hasher.run_other(work).await.is_ok_and(|ended| ended)
        });
        has_begun.await.unwrap();
        Busy {
            let_go,
            jobs: vec![job],
        }
    }

    /// The worker is busy and every place in its queue is taken.
    pub async fn full_hasher(&self) -> Busy {
        let mut busy = self.busy_hasher().await;
        for _ in 0..PLACES {
            let hasher = self.services.hasher.clone();
            let job = tokio::spawn(async move { hasher.run_other(|| true).await.unwrap() });
            busy.jobs.push(job);
        }
        self.hasher_has_waiting(PLACES).await;
        busy
    }

    pub async fn hasher_has_waiting(&self, jobs: usize) {
        wait_until("jobs wait for the worker", async || {
            self.services.hasher.waiting() == jobs
        })
        .await;
    }
}

impl Busy {
    /// All that was queued gets its turn.
    pub async fn let_go(self) {
        self.let_go.send(()).unwrap();
        for job in self.jobs {
            assert!(job.await.unwrap());
        }
    }
}
