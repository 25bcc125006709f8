//! The session cache: sessions and users in memory, so that most requests need no query.
//!
//! Two rules keep it correct. A row is cached only if neither its session nor its user was invalidated since before the
//! read; otherwise a read that raced a logout would revive the session. And while the listener cannot hear of changes
//! on other instances, the cache is closed: it is empty and stays empty.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use uuid::Uuid;

use super::live::{LiveSession, Visit};
use crate::domain::secret::KeyHash;
use crate::store::users::User;

/// A backstop for anything unforeseen: no entry is used for longer.
const TTL: Duration = Duration::from_secs(60);
/// Recent invalidations to remember. A read that spans more of them is not cached, which is harmless.
const REMEMBERED: usize = 4096;

pub struct SessionCache {
    sessions: Entries<KeyHash, LiveSession>,
    users: Entries<Uuid, User>,
    /// Odd while open. Entries of other generations are ignored.
    generation: AtomicU64,
    /// The number of invalidations so far, and, behind the lock, the latest of them.
    forgotten: AtomicU64,
    recent: Mutex<VecDeque<Forgotten>>,
}

#[derive(PartialEq, Eq)]
enum Forgotten {
    Session(KeyHash),
    User(Uuid),
}

/// Taken before a read. Its result may be cached if nothing relevant was invalidated since.
#[derive(Clone, Copy)]
pub struct Ticket {
    generation: u64,
    forgotten: u64,
}

impl SessionCache {
    /// A closed cache for at most `capacity` sessions; the listener opens it.
    pub fn new(capacity: usize) -> Self {
        Self {
            sessions: entries(capacity),
            users: entries(capacity),
            generation: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            recent: Mutex::default(),
        }
    }

    /// Lets results be cached from now on.
    pub fn open(&self) {
        let _recent = self.recent();
        self.generation.fetch_or(1, Ordering::SeqCst);
    }

    /// Empties the cache and keeps it empty until [`Self::open`].
    pub fn close(&self) {
        let _recent = self.recent();
        let next = (self.generation() | 1) + 1;
        self.generation.store(next, Ordering::SeqCst);
        self.sessions.clear();
        self.users.clear();
    }

    /// How many sessions it holds, good or not.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub fn is_open(&self) -> bool {
        self.generation() % 2 == 1
    }

    pub fn get(&self, key: &KeyHash) -> Option<Visit> {
        let generation = self.generation();
        let session = self.sessions.get(key)?;
        let user = self.users.get(&session.value.row.user_id)?;
        let good = session.is_good(generation) && user.is_good(generation);
        good.then_some(Visit {
            live: session.value,
            user: user.value,
        })
    }

    pub fn ticket(&self) -> Ticket {
        Ticket {
            generation: self.generation(),
            forgotten: self.forgotten.load(Ordering::SeqCst),
        }
    }

    /// Caches what was read under the ticket, unless it may be stale. The lock orders this against concurrent
    /// invalidations.
    pub fn keep(&self, ticket: Ticket, visit: &Visit) {
        let recent = self.recent();
        let open = ticket.generation % 2 == 1 && ticket.generation == self.generation();
        if !open || self.was_forgotten(&recent, ticket, visit) {
            return;
        }
        let entry = Entry {
            generation: ticket.generation,
            since: Instant::now(),
            value: visit.live.clone(),
        };
        self.sessions.insert(visit.live.key_hash, entry);
        let entry = Entry {
            generation: ticket.generation,
            since: Instant::now(),
            value: visit.user.clone(),
        };
        self.users.insert(visit.user.id, entry);
    }

    fn was_forgotten(&self, recent: &VecDeque<Forgotten>, ticket: Ticket, visit: &Visit) -> bool {
        let since = self.forgotten.load(Ordering::SeqCst) - ticket.forgotten;
        let Ok(since) = usize::try_from(since) else {
            return true;
        };
        since > recent.len()
            || recent
                .iter()
                .rev()
                .take(since)
                .any(|forgotten| match forgotten {
                    Forgotten::Session(key) => *key == visit.live.key_hash,
                    Forgotten::User(id) => *id == visit.user.id,
                })
    }

    pub fn forget_session(&self, key: &KeyHash) {
        let mut recent = self.recent();
        self.remember(&mut recent, Forgotten::Session(*key));
        self.sessions.remove(key);
    }

    pub fn forget_user(&self, id: &Uuid) {
        let mut recent = self.recent();
        self.remember(&mut recent, Forgotten::User(*id));
        self.users.remove(id);
    }

    fn remember(&self, recent: &mut VecDeque<Forgotten>, forgotten: Forgotten) {
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(forgotten);
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<Forgotten>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Entries<K, V> = Cache<K, Entry<V>, UnitWeighter, Prefix>;

fn entries<K: Eq + Hash, V>(capacity: usize) -> Entries<K, V> {
    let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
    Cache::with(
        capacity,
        weight,
        UnitWeighter,
        Prefix,
        DefaultLifecycle::default(),
    )
}

struct Entry<V> {
    generation: u64,
    since: Instant,
    value: Arc<V>,
}

impl<V> Entry<V> {
    fn is_good(&self, generation: u64) -> bool {
        self.generation == generation && self.since.elapsed() < TTL
    }
}

/// Not derived, because that would require `V: Clone`.
impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            ..*self
        }
    }
}

/// The keys are random, so their first eight bytes serve as the hash.
#[derive(Clone, Copy, Default)]
struct Prefix;

impl BuildHasher for Prefix {
    type Hasher = PrefixHasher;

    fn build_hasher(&self) -> PrefixHasher {
        PrefixHasher(0)
    }
}

struct PrefixHasher(u64);

impl Hasher for PrefixHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    /// The length before the bytes, which is the same for every key.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
