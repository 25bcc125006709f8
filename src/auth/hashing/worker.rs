//! One hashing thread and the buffer that it reuses.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::password_hash::phc::{Output, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use subtle::ConstantTimeEq;

use super::foreign::Foreign;
use super::phc::{OUTPUT_LEN, SALT_LEN, broken, decode, encode};
use crate::auth::error::Result;
use crate::domain::password::{PasswordHash, PlainPassword};
use crate::domain::secret::random;

/// A worker that has been idle for this long frees its buffer.
const IDLE: Duration = Duration::from_secs(10);
/// Each filler leaves at most an eighth of the missing time.
const MAX_FILLERS: u32 = 4;

/// The result of a verification.
pub struct Verdict {
    pub right: bool,
    /// The password hashed with the current parameters, if the stored hash has others.
    pub rehashed: Option<PasswordHash>,
}

/// The worker owns the job, so a client that disconnects frees no place early.
pub type Job = Box<dyn FnOnce(&mut Worker) + Send>;

pub struct Worker {
    params: Params,
    /// How long a hash with these parameters currently takes on this machine, in microseconds.
    usual: Arc<AtomicU64>,
    blocks: Vec<Block>,
}

impl Worker {
    pub fn new(params: Params, usual: Arc<AtomicU64>) -> Self {
        Self {
            params,
            usual,
            blocks: Vec::new(),
        }
    }

    pub fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(IDLE) {
                Ok(job) => {
                    if catch_unwind(AssertUnwindSafe(|| job(&mut self))).is_err() {
                        tracing::error!("a job on a hashing thread panicked");
                        self.blocks = Vec::new();
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.blocks = Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    pub fn hash(&mut self, password: &PlainPassword) -> Result<PasswordHash> {
        let salt = random::<SALT_LEN>()?;
        let began = Instant::now();
        let output = self.derive(&self.params.clone(), password.as_bytes(), &salt)?;
        self.note_usual(began.elapsed());
        encode(&self.params, &salt, &output)
    }

    /// Whoever knows the password of a hash that is not as we make it gets one of ours.
    pub fn verify(&mut self, password: &PlainPassword, stored: &PasswordHash) -> Result<Verdict> {
        let began = Instant::now();
        let (right, is_ours) = match decode(stored.as_str()) {
            Some(hash) => self.compare(password, hash)?,
            None => (matches_foreign(password, stored), false),
        };
        let mut rehashed = None;
        if right && !is_ours {
            rehashed = Some(self.hash(password)?);
        } else if !is_ours {
            self.spend_the_rest(began, password)?;
        }
        Ok(Verdict { right, rehashed })
    }

    /// A hash without the PHC string around it.
    pub fn digest(
        &mut self,
        secret: &[u8],
        salt: &[u8; SALT_LEN],
        params: &Params,
    ) -> Result<[u8; OUTPUT_LEN]> {
        let output = self.derive(params, secret, salt)?;
        <[u8; OUTPUT_LEN]>::try_from(output).map_err(|_| broken("another length"))
    }

    /// Whether it is the password, and whether the hash is as we would make it. A password that is not in NFC is also
    /// tried as it was typed, because other systems make argon2id of that.
    fn compare(
        &mut self,
        password: &PlainPassword,
        (params, salt, expected): (Params, Salt, Output),
    ) -> Result<(bool, bool)> {
        let began = Instant::now();
        let output = self.derive(&params, password.as_bytes(), salt.as_ref())?;
        let is_usual = same(&params, &self.params);
        if is_usual {
            self.note_usual(began.elapsed());
        }
        if output.as_slice().ct_eq(expected.as_bytes()).into() {
            return Ok((true, is_usual));
        }
        if password.as_typed() == password.as_str() {
            return Ok((false, is_usual));
        }
        let output = self.derive(&params, password.as_typed().as_bytes(), salt.as_ref())?;
        let right: bool = output.as_slice().ct_eq(expected.as_bytes()).into();
        Ok((right, is_usual && !right))
    }

    /// Keeps working until the time since `began` matches a hash with the current parameters, so that timing does not
    /// distinguish an old hash from none. Goes by the clock, because less memory is also faster per KiB.
    fn spend_the_rest(&mut self, began: Instant, password: &PlainPassword) -> Result<()> {
        let usual = Duration::from_micros(self.usual.load(Ordering::Relaxed));
        if usual.is_zero() {
            // Nobody has logged in since the start.
            return self.hash(password).map(drop);
        }
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
            self.derive(&filler, password.as_bytes(), &[0; SALT_LEN])?;
        }
        Ok(())
    }

    /// Keeps a moving average of the time of a hash with the current parameters. The newest counts an eighth.
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

    fn derive(&mut self, params: &Params, password: &[u8], salt: &[u8]) -> Result<Vec<u8>> {
        let usual = self.params.block_count().max(params.block_count());
        if self.blocks.len() < usual {
            self.blocks.resize(usual, Block::default());
        }
        let mut output = vec![0; params.output_len().unwrap_or(OUTPUT_LEN)];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
            .hash_password_into_with_memory(password, salt, &mut output, &mut self.blocks)
            .map_err(broken)?;
        if usual > self.params.block_count() {
            self.blocks = Vec::new();
        }
        Ok(output)
    }
}

fn matches_foreign(password: &PlainPassword, stored: &PasswordHash) -> bool {
    let Ok(foreign) = Foreign::parse(stored.as_str()) else {
        tracing::error!(
            "a stored password hash is of no known kind, or too costly; nobody can log in with it"
        );
        return false;
    };
    foreign.matches(password)
}

fn same(one: &Params, other: &Params) -> bool {
    let all = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    all(one) == all(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Latchkey's own hashes are of NFC; other systems hash what was typed.
    #[test]
    fn argon2id_of_a_password_as_it_was_typed_is_recognized_and_replaced() {
        let params = Params::new(64, 1, 1, Some(OUTPUT_LEN)).unwrap();
        let mut worker = Worker::new(params.clone(), Arc::default());
        // `é` in two code points, of which NFC makes one.
        let typed = "cafe\u{301}-on-the-corner";
        let password = PlainPassword::parse(typed).unwrap();
        let made = worker.derive(&params, typed.as_bytes(), b"saltsaltsaltsalt");
        let stored = encode(&params, b"saltsaltsaltsalt", &made.unwrap()).unwrap();
        let verdict = worker.verify(&password, &stored).unwrap();
        assert!(verdict.right);
        let replaced = verdict.rehashed.unwrap();
        let verdict = worker.verify(&password, &replaced).unwrap();
        assert!(verdict.right && verdict.rehashed.is_none());
        let nfc = PlainPassword::parse("caf\u{e9}-on-the-corner").unwrap();
        assert!(worker.verify(&nfc, &replaced).unwrap().right);
        assert!(!worker.verify(&nfc, &stored).unwrap().right);
        let wrong = PlainPassword::parse("cafe\u{301}-on-the-market").unwrap();
        assert!(!worker.verify(&wrong, &stored).unwrap().right);
    }

    /// Others are padded to the usual time, so hashes that take another time must not falsify it (SECURITY A4).
    #[test]
    fn only_hashes_of_our_own_count_as_usual() {
        let usual = Arc::new(AtomicU64::new(7));
        let params = |memory| Params::new(memory, 1, 1, Some(OUTPUT_LEN)).unwrap();
        let mut worker = Worker::new(params(64), usual.clone());
        let password = PlainPassword::parse("green-Lamp-42-river").unwrap();
        for memory in [8, 4096] {
            let stored = encode(&params(memory), &[1; SALT_LEN], &[1; OUTPUT_LEN]).unwrap();
            assert!(!worker.verify(&password, &stored).unwrap().right);
            assert_eq!(usual.load(Ordering::Relaxed), 7, "{memory}");
        }
        let ours = encode(&params(64), &[1; SALT_LEN], &[1; OUTPUT_LEN]).unwrap();
        worker.verify(&password, &ours).unwrap();
        assert_ne!(usual.load(Ordering::Relaxed), 7);
    }
}
