//! Password hashing: argon2id on a fixed number of threads behind a bounded queue.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use argon2::Params;
use crossbeam_channel::{Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use super::error::{AuthError, Result};
use super::metrics::Metrics;
use crate::domain::password::{NewPassword, PasswordHash, PlainPassword};
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::secret::random;
use params::HashParams;
use phc::{OUTPUT_LEN, SALT_LEN, encode};
use worker::{Job, Verdict, Worker};

pub mod foreign;
pub mod params;
pub mod phc;
pub mod worker;

/// Queue places per thread. 200 people can register at once (SECURITY D3), and nobody waits longer than about three
/// seconds: 128 × 20 ms.
const QUEUE_PER_WORKER: usize = 128;

/// The hashing threads. Each keeps its buffer, because allocating one per hash takes half as long again.
pub struct Hasher {
    queue: Sender<Job>,
    pub workers: usize,
    pub params: Params,
    dummy: PasswordHash,
    metrics: Metrics,
}

impl Hasher {
    /// Starts `workers` threads. They end when the hasher is dropped.
    pub fn start(params: Params, workers: usize, metrics: Metrics) -> Result<Self> {
        let (queue, jobs) = bounded(workers * QUEUE_PER_WORKER);
        let usual = Arc::new(AtomicU64::new(0));
        for number in 0..workers {
            let (params, jobs, usual) = (params.clone(), jobs.clone(), usual.clone());
            std::thread::Builder::new()
                .name(format!("hasher-{number}"))
                .spawn(move || Worker::new(params, usual).run(&jobs))
                .map_err(|e| AuthError::Internal(format!("cannot start a hashing thread: {e}")))?;
        }
        // A hash with random output, which no password matches. Verified for users who do not exist.
        let dummy = encode(&params, &random::<SALT_LEN>()?, &random::<OUTPUT_LEN>()?)?;
        Ok(Self {
            queue,
            workers,
            params,
            dummy,
            metrics,
        })
    }

    /// The PHC string of a new password.
    pub async fn hash(&self, password: NewPassword) -> Result<PasswordHash> {
        let metrics = self.metrics.clone();
        self.run(move |worker| metrics.hashing(|| worker.hash(password.plain())))
            .await
    }

    /// Compares with a stored hash. Without one it does the same work, so that timing reveals nothing.
    pub async fn verify(
        &self,
        password: PlainPassword,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict> {
        let stored = stored.unwrap_or(&self.dummy).clone();
        let metrics = self.metrics.clone();
        self.run(move |worker| metrics.hashing(|| worker.verify(&password, &stored)))
            .await
    }

    /// argon2id of a recovery code with the salt and the parameters of its set. Codes of one set share them, so that a
    /// try costs one hash and not one a code.
    pub async fn digest(
        &self,
        code: &RecoveryCode,
        salt: [u8; SALT_LEN],
        params: HashParams,
    ) -> Result<[u8; OUTPUT_LEN]> {
        let (code, metrics) = (*code.as_bytes(), self.metrics.clone());
        self.run(move |worker| metrics.hashing(|| worker.digest(&code, &salt, params.get())))
            .await
    }

    /// What new sets of recovery codes are hashed with.
    pub fn current_params(&self) -> HashParams {
        HashParams::of(&self.params)
    }

    /// Jobs waiting in the queue.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Runs other work that costs about as much as a hash, in the same bounded queue.
    pub async fn run_other<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.run(move |_| Ok(work())).await
    }

    /// Runs a job on a worker. If it panics, the sender is dropped and only its caller fails.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Worker) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, result) = oneshot::channel();
        let (metrics, queued) = (self.metrics.clone(), Instant::now());
        let job: Job = Box::new(move |worker| {
            metrics.hash_waited(queued.elapsed());
            drop(answer.send(work(worker)));
        });
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => AuthError::Overloaded,
            TrySendError::Disconnected(_) => lost(),
        })?;
        result.await.map_err(|_| lost())?
    }
}

fn lost() -> AuthError {
    AuthError::Internal("a hashing job was lost".to_owned())
}

#[cfg(test)]
mod tests;
