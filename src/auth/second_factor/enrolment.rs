//! Setting up an authenticator app: a secret is offered, and counts once somebody shows a code of it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::code;
use super::recovery::NewCodes;
use super::switch::{self, Scope};
use super::totp::TotpSecret;
use crate::auth::error::{AuthError, Result};
use crate::auth::events::Kind;
use crate::auth::limits::attempt::Attempt;
use crate::auth::outbox::Notice;
use crate::auth::recent;
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::proof::Method;
use crate::domain::totp_code::TotpCode;
use crate::mail::kind::MailKind;
use crate::store::second_factor::{required, totp};

/// For how long a secret is on offer.
const OFFERED_FOR: Duration = Duration::from_secs(10 * 60);

/// A secret for the user's app.
pub struct Offer {
    pub secret: TotpSecret,
    pub expires_at: DateTime<Utc>,
}

/// The second factor is on.
pub struct Enabled {
    /// To be shown once.
    pub recovery_codes: Vec<String>,
    /// How many other sessions ended.
    pub revoked: usize,
}

/// Offers a secret. An earlier offer is void.
pub async fn offer(services: &Services, visit: &Visit) -> Result<Offer> {
    let user_id = visit.user.id;
    let secret = TotpSecret::generate()?;
    let sealed = services.sealer.seal(user_id, secret.as_bytes())?;
    let offered = services.db.transaction(async |conn| {
        if !recent::persists(conn, visit).await? {
            return Ok(None);
        }
        totp::offer(conn, user_id, &sealed).await.map(Some)
    });
    let since = offered.await?.ok_or(AuthError::NotAuthenticated)?;
    let since = since.ok_or(AuthError::AlreadyEnabled)?;
    Ok(Offer {
        secret,
        expires_at: since + OFFERED_FOR,
    })
}

/// Turns the second factor on, for whoever shows a code of the secret on offer. That code is used, and logs nobody in.
pub async fn confirm(
    services: &Services,
    visit: &Visit,
    code: TotpCode,
    scope: Scope,
    client: &Client,
) -> Result<Enabled> {
    let user_id = visit.user.id;
    let offered = services
        .db
        .run(async |conn| totp::offered(conn, user_id).await)
        .await?;
    let offered = offered.filter(|offered| offered.now < offered.since + OFFERED_FOR);
    let offered = offered.ok_or(AuthError::StepExpired)?;
    let attempt = Attempt::begin_proof(services, user_id, visit.session().id, client).await?;
    let secret = code::open(services, user_id, &offered.secret);
    let Some(step) = secret.and_then(|secret| secret.matched_step(&code, offered.now)) else {
        attempt.failed();
        let wrong = "This is not the code that your app shows now.";
        let wrong = FieldError::new(FieldCode::Incorrect, wrong);
        return Err(FieldErrors::from(("code", wrong)).into());
    };
    attempt.succeeded().await?;
    let codes = NewCodes::generate(services).await?;
    let notice = Notice::prepare(services, &visit.user, client).await?;
    let ended = services.db.transaction(async |conn| {
        if !recent::persists(conn, visit).await? {
            return Ok(Err(AuthError::NotAuthenticated));
        }
        if !totp::confirm(conn, user_id, &offered.secret, step).await? {
            return Ok(Err(AuthError::StepExpired));
        }
        codes.give(conn, user_id).await?;
        required::set(conn, user_id, true).await?;
        let session = visit.session().id;
        required::add_factor(conn, session, Method::Totp.name()).await?;
        notice.tell(conn, MailKind::TotpEnabled, user_id).await?;
        switch::settle(conn, visit, scope).await.map(Ok)
    });
    let ended = ended.await??;
    switch::forget(services, visit, &ended);
    let kind = Kind::TotpEnabled;
    services.events.record(kind, Some(user_id), client).await;
    Ok(Enabled {
        recovery_codes: codes.texts(),
        revoked: ended.len(),
    })
}
