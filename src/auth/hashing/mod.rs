//! Password hashing: argon2id on a fixed set of threads with a bounded queue in front.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use argon2::Params;
use crossbeam_channel::{Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use super::error::{AuthError, Result};
use crate::domain::password::{NewPassword, PlainPassword};
use crate::domain::secret::random;
use phc::{OUTPUT_LEN, SALT_LEN, encode};
use worker::{Job, Verdict, Worker};

pub mod phc;
pub mod worker;

/// Places in the queue for each thread. 200 people who register at once (SECURITY D3) are all served, and nobody
/// waits longer than some three seconds: 128 × 20 ms.
const QUEUE_PER_WORKER: usize = 128;

/// The threads that hash, one buffer each: allocating it anew for every hash costs half as much again.
pub struct Hasher {
    queue: Sender<Job>,
    pub workers: usize,
    pub params: Params,
    dummy: String,
}

impl Hasher {
    /// Starts `workers` threads; they end when the hasher is dropped.
    pub fn start(params: Params, workers: usize) -> Result<Self> {
        let (queue, jobs) = bounded(workers * QUEUE_PER_WORKER);
        let usual = Arc::new(AtomicU64::new(0));
        for number in 0..workers {
            let (params, jobs, usual) = (params.clone(), jobs.clone(), usual.clone());
            std::thread::Builder::new()
                .name(format!("hasher-{number}"))
                .spawn(move || Worker::new(params, usual).run(&jobs))
                .map_err(|e| AuthError::Internal(format!("no thread for hashing: {e}")))?;
        }
        // A hash of no password, with a random outcome: verified for users who do not exist.
        let dummy = encode(&params, &random::<SALT_LEN>()?, &random::<OUTPUT_LEN>()?)?;
        Ok(Self {
            queue,
            workers,
            params,
            dummy,
        })
    }

    /// The PHC string of a new password.
    pub async fn hash(&self, password: NewPassword) -> Result<String> {
        self.run(move |worker| worker.hash(password.plain())).await
    }

    /// Compares with a stored hash; without one, does the same work for nothing, so that the time tells nothing.
    pub async fn verify(&self, password: PlainPassword, stored: Option<&str>) -> Result<Verdict> {
        let stored = stored.unwrap_or(&self.dummy).to_owned();
        self.run(move |worker| worker.verify(&password, &stored))
            .await
    }

    /// Jobs in the queue.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Other work that costs about as much as a hash; it waits in the same queue, so that it is as bounded.
    pub async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.run(move |_| Ok(work())).await
    }

    /// Has a worker do it. Work that panics drops the sender, and costs nobody else anything.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Worker) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |worker| drop(answer.send(work(worker))));
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => AuthError::Overloaded,
            TrySendError::Disconnected(_) => lost(),
        })?;
        result.await.map_err(|_| lost())?
    }
}

fn lost() -> AuthError {
    AuthError::Internal("a hash was lost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_costs_itself_and_no_worker() {
        let hasher = Hasher::start(Params::new(64, 1, 1, Some(32)).unwrap(), 2).unwrap();
        for _ in 0..10 {
            let lost = hasher.run(|_| -> Result<()> { panic!("in a test") }).await;
            assert!(matches!(lost, Err(AuthError::Internal(_))));
        }
        let both = std::sync::Arc::new(std::sync::Barrier::new(2));
        let work = || {
            let both = both.clone();
            hasher.run(move |_| Ok(both.wait()))
        };
        // Two that wait for each other: both workers must still be there.
        let (one, other) = tokio::join!(work(), work());
        assert!(one.is_ok() && other.is_ok());
    }
}
