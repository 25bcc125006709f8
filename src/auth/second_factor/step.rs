//! The step between the first factor and the session, for users whose second factor is on.
//!
//! A row with the tries that are left, and a cookie with its key. The row ends with the session that it opens, with a new
//! password, and with everything else that ends the user's sessions.

use chrono::{DateTime, Utc};

use super::code::Code;
use super::completion::{Finished, complete};
use super::warning;
use crate::auth::admission::{Wish, require_admissible};
use crate::auth::error::{AuthError, Result};
use crate::auth::events::Kind;
use crate::auth::limits::attempt::Attempt;
use crate::auth::methods::{self, second_factors};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::proof::{Method, Proof};
use crate::domain::secret::{KeyHash, SessionKey};
pub use crate::store::second_factor::steps::Step;
use crate::store::second_factor::steps::{self, NewStep};
use crate::store::users::{self, Account};

/// The kind of a step that waits for the second factor.
const SECOND_FACTOR: &str = "second_factor";

/// A login that waits for the second factor.
pub struct Pending {
    pub key: SessionKey,
    /// What does for it.
    pub methods: Vec<Method>,
    pub expires_at: DateTime<Utc>,
}

/// What somebody shows as the second factor.
pub struct Answer {
    pub code: Code,
    /// To ask for no code in this browser next time.
    pub trust_device: bool,
}

pub async fn begin(
    services: &Services,
    account: &Account,
    proof: &Proof,
    wish: &Wish,
) -> Result<Pending> {
    let key = SessionKey::generate()?;
    let step = NewStep {
        key_hash: key.hash(),
        kind: SECOND_FACTOR,
        user_id: account.user.id,
        password_epoch: account.password_epoch,
        methods: &proof.names(),
        remembered: wish.remembered,
        redirect_to: wish.redirect_to.as_deref(),
    };
    let begun = services
        .db
        .run(async |conn| steps::insert(conn, &step).await)
        .await?;
    let expires_at = begun.ok_or(AuthError::NotAuthenticated)?;
    let ways = methods::of(services, account.user.id).await?;
    Ok(Pending {
        key,
        methods: second_factors(&ways),
        expires_at,
    })
}

/// A step that is open, and what does for it.
pub async fn look(services: &Services, key: &KeyHash) -> Result<(Step, Vec<Method>)> {
    let step = find(services, key).await?;
    let methods = match step.user_id {
        Some(user_id) => second_factors(&methods::of(services, user_id).await?),
        // A newcomer has none.
        None => Vec::new(),
    };
    Ok((step, methods))
}

pub async fn find(services: &Services, key: &KeyHash) -> Result<Step> {
    let found = services.db.run(async |conn| steps::find(conn, key).await);
    found.await?.ok_or(AuthError::StepExpired)
}

pub async fn cancel(services: &Services, key: &KeyHash) -> Result<()> {
    let ended = services
        .db
        .run(async |conn| steps::give_up(conn, key).await);
    ended.await?;
    Ok(())
}

/// Completes a login.
pub async fn finish(
    services: &Services,
    key: &KeyHash,
    answer: Answer,
    client: &Client,
) -> Result<Finished> {
    let (metrics, method) = (&services.metrics, answer.code.method());
    let finished = try_to_finish(services, key, answer, client).await;
    metrics.second_factor(method, finished.as_ref().err());
    finished
}

/// Each try is spent before the code is looked at, so that no number of them at once gets more.
async fn try_to_finish(
    services: &Services,
    key: &KeyHash,
    answer: Answer,
    client: &Client,
) -> Result<Finished> {
    let account = account_of(services, &find(services, key).await?).await?;
    require_admissible(services, &account.user, client).await?;
    let attempt = Attempt::begin_second_factor(services, &account, client).await?;
    let spent = services.db.run(async |conn| steps::spend(conn, key).await);
    let Some((step, now)) = spent.await? else {
        attempt.undecided().await?;
        return Err(AuthError::StepExpired);
    };
    match judge(services, key, &account, &step, now, answer, client).await {
        Ok(Some(finished)) => {
            attempt.succeeded().await?;
            Ok(finished)
        }
        Ok(None) => {
            attempt.failed();
            let kind = Kind::SecondFactorFailed;
            let user_id = Some(account.user.id);
            services.events.record(kind, user_id, client).await;
            warning::note(services, key, &account, &step, now, client).await?;
            let tries_left = step.tries_left;
            Err(AuthError::InvalidCode { tries_left })
        }
        Err(error) => {
            let refunded = services.db.run(async |conn| steps::refund(conn, key).await);
            refunded.await?;
            attempt.undecided().await?;
            Err(error)
        }
    }
}

/// `None` if the code is wrong, or was used before.
async fn judge(
    services: &Services,
    key: &KeyHash,
    account: &Account,
    step: &Step,
    now: DateTime<Utc>,
    answer: Answer,
    client: &Client,
) -> Result<Option<Finished>> {
    let trust_device = answer.trust_device;
    match answer.code.check(services, account.user.id, now).await? {
        Some(right) => complete(services, key, account, step, &right, trust_device, client).await,
        None => Ok(None),
    }
}

pub(super) async fn account_of(services: &Services, step: &Step) -> Result<Account> {
    let id = step.user_id.ok_or(AuthError::StepExpired)?;
    let account = services
        .db
        .run(async |conn| users::find(conn, id).await)
        .await?;
    account.ok_or(AuthError::StepExpired)
}
