//! Proving again who one is, inside a session.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::error::{AuthError, Result};
use super::events::Kind;
use super::limits::attempt::Attempt;
use super::methods::{self, second_factors};
use super::passkeys::ceremony::Ceremony;
use super::passkeys::{self, authentication};
use super::password;
use super::second_factor::code::{Code, Right};
use super::services::Services;
use super::session::live::Visit;
use super::session::{self, Issued};
use crate::domain::client::Client;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::password::PlainPassword;
use crate::domain::proof::{Method, Proof};
use crate::store::clock;
use crate::store::users::{self, Account};

/// A session under a new key, after its user proved again who they are.
pub struct Reauthenticated {
    pub issued: Issued,
    pub at: DateTime<Utc>,
}

/// Confirms the password in an existing session, and a code where the second factor is on. The session gets a new key:
/// anyone with a copy of the old one must not benefit from the confirmation (OWASP ASVS 5.0 V7.2.4).
pub async fn by_password(
    services: &Services,
    visit: &Visit,
    password: PlainPassword,
    code: Option<Code>,
    client: &Client,
) -> Result<Reauthenticated> {
    let account = password::prove(services, visit, "password", password, client).await?;
    let mut proof = Proof::by(Method::Password);
    if account.user.second_factor_required {
        let Some(code) = code else {
            let ways = methods::of(services, account.user.id).await?;
            let methods = second_factors(&ways);
            return Err(AuthError::SecondFactorRequired { methods });
        };
        let method = code.method();
        let proven = prove_code(services, &account, code, client).await;
        let error = proven.as_ref().err();
        services.metrics.second_factor(method, error);
        proof = proof.and(proven?);
    }
    complete(services, visit, &proof, client).await
}

/// The same with a passkey, which is both factors.
pub async fn by_passkey(
    services: &Services,
    visit: &Visit,
    sent: Value,
    client: &Client,
) -> Result<Reauthenticated> {
    let (user_id, session) = (visit.user.id, visit.session().id);
    let attempt = Attempt::begin_proof(services, user_id, session, client).await?;
    let ceremony = Ceremony::Reauthentication(visit);
    match authentication::prove(services, ceremony, sent, client).await {
        Ok(_) => attempt.succeeded().await?,
        Err(error @ (AuthError::InvalidPasskey(_) | AuthError::ChallengeExpired)) => {
            attempt.failed();
            return Err(passkeys::as_field(error));
        }
        Err(error) => {
            attempt.undecided().await?;
            return Err(error);
        }
    }
    complete(services, visit, &Proof::by(Method::Passkey), client).await
}

/// Renews the session for whoever gave this proof.
pub async fn complete(
    services: &Services,
    visit: &Visit,
    proof: &Proof,
    client: &Client,
) -> Result<Reauthenticated> {
    let (issued, session) = session::renew(services, visit, proof).await?;
    let user_id = Some(visit.user.id);
    services
        .events
        .record(Kind::Reauthenticated, user_id, client)
        .await;
    Ok(Reauthenticated {
        issued,
        at: session.authenticated_at,
    })
}

/// Checks a code and uses it up.
async fn prove_code(
    services: &Services,
    account: &Account,
    code: Code,
    client: &Client,
) -> Result<Method> {
    let id = account.user.id;
    let attempt = Attempt::begin_second_factor(services, account, client).await?;
    let field = code.field();
    match claim(services, account, code, client).await {
        Ok(Some(right)) => {
            attempt.succeeded().await?;
            right.note_use(services, id, client).await;
            services.mailbox.wake();
            Ok(right.method())
        }
        Ok(None) => {
            attempt.failed();
            let kind = Kind::SecondFactorFailed;
            services.events.record(kind, Some(id), client).await;
            let wrong = "This code is not right, or used already.";
            let wrong = FieldError::new(FieldCode::Incorrect, wrong);
            Err(FieldErrors::from((field, wrong)).into())
        }
        Err(error) => {
            attempt.undecided().await?;
            Err(error)
        }
    }
}

/// `None` if the code is wrong, or was used before.
async fn claim(
    services: &Services,
    account: &Account,
    code: Code,
    client: &Client,
) -> Result<Option<Right>> {
    let id = account.user.id;
    let now = services
        .db
        .run(async |conn| clock::current_time(conn).await)
        .await?;
    let Some(right) = code.check(services, id, now).await? else {
        return Ok(None);
    };
    let notice = right.notice(services, &account.user, client).await?;
    let claimed = services.db.transaction(async |conn| {
        users::lock(conn, id).await?;
        right.claim(conn, id, notice.as_ref()).await
    });
    Ok(claimed.await?.then_some(right))
}
