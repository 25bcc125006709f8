//! Everyday use of several instances at once, and a record of everything that they acknowledged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::load::{Ask, Caller, Outcome, get, log_in, me, post, register};
use crate::server::{cookie, somebody};

/// By then, a logout counts on every instance (SECURITY R12).
pub const EVERYWHERE: Duration = Duration::from_millis(100);

/// How long someone who was refused waits, so that the first good answer is not missed.
const REFUSED: Duration = Duration::from_millis(50);

/// What the instances answered. An outcome is kept with the number of the instance.
#[derive(Default)]
pub struct Journal {
    pub outcomes: Vec<(usize, Outcome)>,
    /// Names that are registered.
    pub names: Vec<(String, Instant)>,
    /// Cookies that are logged out.
    pub ended: Vec<(String, Instant)>,
}

impl Journal {
    pub fn of_kind(&self, kind: &str) -> Vec<Outcome> {
        let chosen = self.outcomes.iter().filter(|(_, one)| one.kind == kind);
        chosen.map(|(_, one)| one.clone()).collect()
    }

    /// When an instance first let someone in after that.
    pub fn first_login(&self, instance: usize, after: Instant) -> Option<Instant> {
        let those = self.outcomes.iter().filter(|(at, one)| {
            *at == instance && one.kind == "login" && one.status == 200 && one.answered() > after
        });
        those.map(|(_, one)| one.answered()).min()
    }
}

/// People who use the instances until they are told to leave.
pub struct Visitors {
    place: Arc<Place>,
    tasks: JoinSet<()>,
}

struct Place {
    addresses: Vec<SocketAddr>,
    journal: Mutex<Journal>,
    closing: AtomicBool,
}

impl Visitors {
    pub async fn arrive(addresses: Vec<SocketAddr>) -> Self {
        // Who stays has a name of their own: more than 50 logins evict a user's oldest session.
        somebody(addresses[0], "stays").await;
        somebody(addresses[0], "comes").await;
        let place = Arc::new(Place {
            addresses,
            journal: Mutex::default(),
            closing: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for (instance, address) in place.addresses.iter().enumerate() {
            let stays = cookie(*address, "stays").await;
            let at = || At {
                place: place.clone(),
                instance,
                line: Caller::to(*address),
            };
            tasks.spawn(at().come_and_go());
            tasks.spawn(at().come_and_go());
            tasks.spawn(at().join());
            tasks.spawn(at().look_around(stays));
            tasks.spawn(at().balance());
            tasks.spawn(at().come_back());
        }
        Self { place, tasks }
    }

    pub fn journal(&self) -> MutexGuard<'_, Journal> {
        self.place.journal.lock().unwrap()
    }

    /// Everybody finishes and leaves.
    pub async fn leave(self) -> Journal {
        self.place.closing.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        std::mem::take(&mut self.place.journal.lock().unwrap())
    }
}

/// Somebody at one instance.
struct At {
    place: Arc<Place>,
    instance: usize,
    line: Caller,
}

impl At {
    fn goes_on(&self) -> bool {
        !self.place.closing.load(Ordering::Relaxed)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.place.journal.lock().unwrap()
    }

    async fn ask(&mut self, ask: &Ask) -> Outcome {
        let outcome = self.line.ask(ask).await;
        let noted = (self.instance, outcome.clone());
        self.journal().outcomes.push(noted);
        outcome
    }

    /// Logs in, uses the session and logs out.
    async fn come_and_go(mut self) {
        while self.goes_on() {
            let login = self.ask(&log_in("comes")).await;
            let Some(cookie) = login.cookie.filter(|_| login.status == 200) else {
                sleep(REFUSED).await;
                continue;
            };
            self.ask(&me(&cookie)).await;
            let left = self
                .ask(&post("logout", "/api/logout", &cookie, "{}"))
                .await;
            // After a 503, nobody knows.
            if left.status == 204 {
                self.journal().ended.push((cookie, left.answered()));
            }
            sleep(Duration::from_millis(400)).await;
        }
    }

    /// Registers. Each name is tried once, because it may be taken after a 503.
    async fn join(mut self) {
        for n in 0.. {
            if !self.goes_on() {
                return;
            }
            let name = format!("r{}-{n}", self.instance);
            let joined = self.ask(&register(&name)).await;
            if joined.status != 201 {
                sleep(REFUSED).await;
                continue;
            }
            self.journal().names.push((name, joined.answered()));
            sleep(Duration::from_millis(400)).await;
        }
    }

    /// Uses the same session all the time.
    async fn look_around(mut self, cookie: String) {
        while self.goes_on() {
            for _ in 0..4 {
                self.ask(&me(&cookie)).await;
                sleep(Duration::from_millis(30)).await;
            }
            self.ask(&get("sessions", "/api/sessions", &cookie)).await;
            self.ask(&get("live", "/health/live", "")).await;
        }
    }

    /// Asks what a balancer asks.
    async fn balance(mut self) {
        while self.goes_on() {
            self.ask(&get("ready", "/health/ready", "")).await;
            sleep(Duration::from_millis(40)).await;
        }
    }

    /// Tries cookies that were logged out on any instance: the latest ones, and an older one each time.
    async fn come_back(mut self) {
        for n in 0.. {
            if !self.goes_on() {
                return;
            }
            let mut cookies: Vec<String> = Vec::new();
            {
                let journal = self.journal();
                let known = journal.ended.iter();
                let old: Vec<_> = known.filter(|(_, at)| at.elapsed() > EVERYWHERE).collect();
                cookies.extend(old.iter().rev().take(4).map(|(cookie, _)| cookie.clone()));
                cookies.extend(
                    old.get(n % old.len().max(1))
                        .map(|(cookie, _)| cookie.clone()),
                );
            }
            for cookie in cookies {
                self.ask(&get("ended", "/api/me", &cookie)).await;
            }
            sleep(Duration::from_millis(30)).await;
        }
    }
}
