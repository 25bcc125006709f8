//! Several hosts in one `DATABASE_URL`: the order in which they are tried, and when the next one gets its turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

/// The index of the host that answered last. It is tried first, so that a silent host costs one attempt and not one per
/// connection.
#[derive(Default)]
pub struct LastGood(AtomicUsize);

impl LastGood {
    /// Opens a connection to the first of `count` hosts that accepts one. When a host has failed or has used up its
    /// share of the time, the next one is tried as well; a slow host may still win.
    pub async fn open<T, F>(
        &self,
        count: usize,
        share: Duration,
        open: impl Fn(usize) -> F,
    ) -> Result<T, String>
    where
        F: Future<Output = Result<T, String>>,
    {
        let first = self.0.load(Ordering::Relaxed);
        let mut untried = (0..count).map(|n| (first + n) % count);
        let mut attempts = FuturesUnordered::new();
        let mut failures = Vec::new();
        loop {
            if let Some(host) = untried.next() {
                attempts.push(open(host).map(move |opened| (host, opened)));
            }
            tokio::select! {
                attempt = attempts.next() => match attempt {
                    Some((host, Ok(opened))) => {
                        self.0.store(host, Ordering::Relaxed);
                        return Ok(opened);
                    }
                    Some((_, Err(failure))) => failures.push(failure),
                    None => return Err(failures.join("; ")),
                },
                () = tokio::time::sleep(share), if untried.len() > 0 => {}
            }
        }
    }
}
