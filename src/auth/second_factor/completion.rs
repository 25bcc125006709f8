//! The end of a login with a second factor: the answer was right, so the session opens.

use super::code::Right;
use super::{trusted_devices, warning};
use crate::auth::error::{AuthError, Result};
use crate::auth::outbox::Notice;
use crate::auth::services::Services;
use crate::auth::session::Started;
use crate::auth::session::opening::Opening;
use crate::domain::client::Client;
use crate::domain::proof::Proof;
use crate::domain::secret::KeyHash;
use crate::store::db::{Connection, QueryResult};
use crate::store::login;
use crate::store::second_factor::steps::{self, Step};
use crate::store::users::{self, Account};

/// A login that is complete.
pub struct Finished {
    pub started: Started,
    pub redirect_to: Option<String>,
    /// If one was used.
    pub recovery_codes_left: Option<i64>,
}

/// What follows a right answer. `None` if it has been used before.
pub async fn complete(
    services: &Services,
    key: &KeyHash,
    account: &Account,
    step: &Step,
    right: &Right,
    trust_device: bool,
    client: &Client,
) -> Result<Option<Finished>> {
    let opened = open(services, key, account, step, right, client).await?;
    let Some(mut started) = opened else {
        return Ok(None);
    };
    let user_id = account.user.id;
    right.note_use(services, user_id, client).await;
    if trust_device {
        trusted_devices::trust(services, account, &mut started, client).await;
    }
    Ok(Some(Finished {
        started,
        redirect_to: step.redirect_to.clone(),
        recovery_codes_left: right.left(services, user_id).await,
    }))
}

/// What a transaction made of a right code.
enum Opened {
    Session(Box<login::Started>),
    /// Somebody has used the code before.
    Used,
    /// The step has ended meanwhile.
    Over,
}

/// Uses the code and the step up and opens the session, all or nothing. `None` if the code has been used before.
async fn open(
    services: &Services,
    key: &KeyHash,
    account: &Account,
    step: &Step,
    right: &Right,
    client: &Client,
) -> Result<Option<Started>> {
    let proof = Proof::from_names(&step.methods).and(right.method());
    let opening = Opening::new(services, account, &proof, step.remembered, client)?;
    let notice = right.notice(services, &account.user, client).await?;
    let notice = notice.as_ref();
    let done = services
        .db
        .transaction(async |conn| try_open(conn, key, account, right, notice, &opening).await);
    let done = done.await?;
    services.mailbox.wake();
    match done {
        Opened::Session(row) => Ok(Some(opening.finish(services, *row).await?)),
        Opened::Used => Ok(None),
        Opened::Over => Err(AuthError::StepExpired),
    }
}

/// Whatever ends steps locks the user first, as this does.
async fn try_open(
    conn: &mut Connection,
    key: &KeyHash,
    account: &Account,
    right: &Right,
    notice: Option<&Notice>,
    opening: &Opening<'_>,
) -> QueryResult<Opened> {
    let id = account.user.id;
    users::lock(conn, id).await?;
    if !steps::hold(conn, key).await? {
        return Ok(Opened::Over);
    }
    if !right.claim(conn, id, notice).await? {
        return Ok(Opened::Used);
    }
    steps::end(conn, key).await?;
    warning::take_back(conn, key).await?;
    let opened = opening.record(conn).await?;
    Ok(opened.map_or(Opened::Over, |row| Opened::Session(Box::new(row))))
}
