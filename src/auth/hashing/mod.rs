//! Password hashing: argon2id on a fixed set of threads with a bounded queue in front.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use super::error::{AuthError, Result};
use super::password::PlainPassword;
use crate::domain::secret::random;

/// Places in the queue for each thread. 200 people who register at once (SECURITY D3) are all served, and nobody
/// waits longer than some three seconds: 128 × 20 ms.
const QUEUE_PER_WORKER: usize = 128;
/// A worker that had nothing to do for so long gives its memory back.
const IDLE: Duration = Duration::from_secs(10);
const OUTPUT_LEN: usize = 32;
/// RFC 9106 section 3.1: 16 bytes of salt are recommended for password hashing.
const SALT_LEN: usize = 16;
/// Stored parameters beyond these are not run: nobody shall have us work for minutes by one row.
pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
pub const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 4;
/// Each filler leaves an eighth of the missing time or less.
const MAX_FILLERS: u32 = 4;

/// The threads that hash, one buffer each: allocating it anew for every hash costs half as much again.
pub struct Hasher {
    queue: Sender<Job>,
    pub workers: usize,
    pub params: Params,
    dummy: String,
}

/// What came out of a verification.
pub struct Verdict {
    pub right: bool,
    /// The same password under the parameters of today, when the stored hash had weaker ones.
    pub rehashed: Option<String>,
}

/// The work belongs to the worker: a client that hangs up frees no place early.
type Job = Box<dyn FnOnce(&mut Worker) + Send>;

impl Hasher {
    /// Starts `workers` threads; they end when the hasher is dropped.
    pub fn start(params: Params, workers: usize) -> Result<Self> {
        let (queue, jobs) = bounded(workers * QUEUE_PER_WORKER);
        let usual = Arc::new(AtomicU64::new(0));
        for number in 0..workers {
            let (params, jobs, usual) = (params.clone(), jobs.clone(), usual.clone());
            std::thread::Builder::new()
                .name(format!("hasher-{number}"))
                .spawn(move || {
                    Worker {
                        params,
                        usual,
                        blocks: Vec::new(),
                    }
                    .run(&jobs)
                })
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
    pub async fn hash(&self, password: PlainPassword) -> Result<String> {
        self.run(move |worker| worker.hash(&password)).await
    }

    /// Compares with a stored hash; without one the same work is done in vain, so that time tells nothing.
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

struct Worker {
    params: Params,
    /// What a hash with these parameters takes on this machine now, in microseconds.
    usual: Arc<AtomicU64>,
    blocks: Vec<Block>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(IDLE) {
                Ok(job) => {
                    if catch_unwind(AssertUnwindSafe(|| job(&mut self))).is_err() {
                        tracing::error!("hashing a password panicked");
                        self.blocks = Vec::new();
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.blocks = Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn hash(&mut self, password: &PlainPassword) -> Result<String> {
        let salt = random::<SALT_LEN>()?;
        let began = Instant::now();
        let output = self.derive(&self.params.clone(), password, &salt)?;
        self.note_usual(began.elapsed());
        encode(&self.params, &salt, &output)
    }

    fn verify(&mut self, password: &PlainPassword, stored: &str) -> Result<Verdict> {
        let Some((params, salt, expected)) = decode(stored) else {
            tracing::error!(
                "a stored password hash is not argon2id with sane parameters; nobody can log in with it"
            );
            self.derive(&self.params.clone(), password, &[0; SALT_LEN])?;
            return Ok(Verdict {
                right: false,
                rehashed: None,
            });
        };
        let began = Instant::now();
        let output = self.derive(&params, password, salt.as_ref())?;
        let right: bool = output.as_slice().ct_eq(expected.as_bytes()).into();
        let outdated = cost(&params) < cost(&self.params);
        if !outdated {
            self.note_usual(began.elapsed());
        }
        let rehashed = match (right, outdated) {
            (true, true) => Some(self.hash(password)?),
            (false, true) => {
                self.spend_the_rest(began, password)?;
                None
            }
            _ => None,
        };
        Ok(Verdict { right, rehashed })
    }

    /// Works on until as much time has passed since `began` as today's parameters take, so that an old hash cannot be
    /// told from none by time. By the clock, because less memory is also faster for each KiB.
    fn spend_the_rest(&mut self, began: Instant, password: &PlainPassword) -> Result<()> {
        let usual = Duration::from_micros(self.usual.load(Ordering::Relaxed));
        for _ in 0..MAX_FILLERS {
            let rest = usual.saturating_sub(began.elapsed());
            if rest < usual / 32 {
                break;
            }
            let per_mille = rest.as_micros() * 1000 / usual.as_micros().max(1);
            let memory = u128::from(self.params.m_cost()) * per_mille / 1000;
            let memory = u32::try_from(memory).unwrap_or(u32::MAX);
            let memory = memory.clamp(Params::MIN_M_COST, self.params.m_cost());
            let passes = self.params.t_cost();
            let filler = Params::new(memory, passes, 1, Some(OUTPUT_LEN)).map_err(broken)?;
            self.derive(&filler, password, &[0; SALT_LEN])?;
        }
        Ok(())
    }

    /// Keeps the average time of a hash with today's parameters, the newest counting an eighth.
    fn note_usual(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let before = self.usual.load(Ordering::Relaxed);
        let average = if before == 0 {
            took
        } else {
            before - before / 8 + took / 8
        };
        self.usual.store(average, Ordering::Relaxed);
    }

    fn derive(
        &mut self,
        params: &Params,
        password: &PlainPassword,
        salt: &[u8],
    ) -> Result<Vec<u8>> {
        let usual = self.params.block_count().max(params.block_count());
        if self.blocks.len() < usual {
            self.blocks.resize(usual, Block::default());
        }
        let mut output = vec![0; params.output_len().unwrap_or(OUTPUT_LEN)];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
            .hash_password_into_with_memory(
                password.as_bytes(),
                salt,
                &mut output,
                &mut self.blocks,
            )
            .map_err(broken)?;
        if usual > self.params.block_count() {
            self.blocks = Vec::new();
        }
        Ok(output)
    }
}

/// KiB written: what time goes with.
fn cost(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

fn encode(params: &Params, salt: &[u8], output: &[u8]) -> Result<String> {
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(broken)?,
        salt: Some(Salt::new(salt).map_err(broken)?),
        hash: Some(Output::new(output).map_err(broken)?),
    };
    Ok(hash.to_string())
}

/// The parts of a PHC string, if it is argon2id and within the bounds.
pub fn decode(stored: &str) -> Option<(Params, Salt, Output)> {
    let hash = PasswordHash::new(stored).ok()?;
    if hash.algorithm != ARGON2ID_IDENT || hash.version != Some(Version::V0x13.into()) {
        return None;
    }
    let params = Params::try_from(&hash).ok()?;
    let sane = params.m_cost() <= MAX_MEMORY_KIB
        && params.t_cost() <= MAX_PASSES
        && params.p_cost() <= MAX_LANES;
    let (salt, output) = (hash.salt?, hash.hash?);
    (sane && output.len() >= 16).then_some((params, salt, output))
}

fn broken(error: impl std::fmt::Display) -> AuthError {
    AuthError::Internal(format!("argon2: {error}"))
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
