//! How long the mailer waits: for the database, and before it tries a mail again.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::store::db::error::DbError;

/// How long each step of a mail waits for the database. Two of them and the delivery fit into the claim.
const INSIST_FOR: Duration = Duration::from_secs(15);
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// The first wait after a failure. It doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Tries again for a while if the database is not available: a mail whose row stays is sent again when its claim ends.
pub async fn insist<T>(work: impl AsyncFn() -> Result<T, DbError>) -> Result<T, DbError> {
    let began = Instant::now();
    loop {
        match work().await {
            Err(DbError::Unavailable(_)) if began.elapsed() < INSIST_FOR => sleep(ASK_AGAIN).await,
            done => return done,
        }
    }
}

/// 10 s, 20 s, 40 s, … up to an hour.
pub fn wait_after(tries: i32) -> Duration {
    let doublings = u32::try_from(tries - 1).unwrap_or(0).min(16);
    (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_an_hour() {
        let seconds: Vec<_> = [1, 2, 3, 9, 10, 40]
            .map(|tries| wait_after(tries).as_secs())
            .into();
        assert_eq!(seconds, [10, 20, 40, 2560, 3600, 3600]);
    }
}
