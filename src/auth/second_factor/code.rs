//! A code that somebody shows as their second factor.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::recovery;
use super::totp::TotpSecret;
use crate::auth::error::Result;
use crate::auth::events::Kind;
use crate::auth::outbox::Notice;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::proof::Method;
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::totp_code::TotpCode;
use crate::mail::kind::MailKind;
use crate::store::db::{Connection, QueryResult};
use crate::store::passkeys;
use crate::store::second_factor::{recovery_codes, totp};
use crate::store::users::User;

pub enum Code {
    /// Of an authenticator app.
    Totp(TotpCode),
    Recovery(RecoveryCode),
}

/// A code that is right, and good if nobody has used it before.
#[derive(Debug)]
pub enum Right {
    /// The time step that it is for.
    Totp(i64),
    /// Its hash.
    Recovery([u8; 32]),
    /// No code, but a passkey with this id, whose signature is used up already.
    Passkey(Uuid),
}

impl Code {
    /// The field of a form that holds it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Totp(_) => "code",
            Self::Recovery(_) => "recovery_code",
        }
    }

    pub fn method(&self) -> Method {
        match self {
            Self::Totp(_) => Method::Totp,
            Self::Recovery(_) => Method::RecoveryCode,
        }
    }

    /// `None` if it is wrong.
    pub async fn check(
        self,
        services: &Services,
        user_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<Right>> {
        match self {
            Self::Totp(code) => {
                let sealed = services
                    .db
                    .run(async |conn| totp::of_user(conn, user_id).await);
                let secret = sealed
                    .await?
                    .and_then(|sealed| open(services, user_id, &sealed));
                let step = secret.and_then(|secret| secret.matched_step(&code, now));
                Ok(step.map(Right::Totp))
            }
            Self::Recovery(code) => {
                let hash = recovery::hash_of(services, user_id, code).await?;
                Ok(hash.map(Right::Recovery))
            }
        }
    }
}

impl Right {
    pub fn method(&self) -> Method {
        match self {
            Self::Totp(_) => Method::Totp,
            Self::Recovery(_) => Method::RecoveryCode,
            Self::Passkey(_) => Method::Passkey,
        }
    }

    /// What tells the user of its use: recovery codes are for emergencies.
    pub async fn notice(
        &self,
        services: &Services,
        user: &User,
        client: &Client,
    ) -> Result<Option<Notice>> {
        match self {
            Self::Totp(_) | Self::Passkey(_) => Ok(None),
            Self::Recovery(_) => Notice::prepare(services, user, client).await.map(Some),
        }
    }

    /// Uses the code up, within a transaction. False if it has been used before, or the passkey has been
    /// removed.
    pub async fn claim(
        &self,
        conn: &mut Connection,
        user_id: Uuid,
        notice: Option<&Notice>,
    ) -> QueryResult<bool> {
        let claimed = match self {
            Self::Totp(step) => totp::claim(conn, user_id, *step).await?,
            Self::Recovery(hash) => recovery_codes::claim(conn, user_id, hash).await?,
            Self::Passkey(id) => passkeys::exists(conn, *id).await?,
        };
        if let Some(notice) = notice.filter(|_| claimed) {
            let kind = MailKind::RecoveryCodeUsed;
            notice.tell(conn, kind, user_id).await?;
        }
        Ok(claimed)
    }

    pub async fn note_use(&self, services: &Services, user_id: Uuid, client: &Client) {
        if let Self::Recovery(_) = self {
            let kind = Kind::RecoveryCodeUsed;
            services.events.record(kind, Some(user_id), client).await;
        }
    }

    /// How many recovery codes are left after the use of one. `None` if that cannot be read: a login does not fail for it.
    pub async fn left(&self, services: &Services, user_id: Uuid) -> Option<i64> {
        let Self::Recovery(_) = self else {
            return None;
        };
        let left = services
            .db
            .run(async |conn| recovery_codes::left(conn, user_id).await);
        let left = left.await.inspect_err(|error| {
            tracing::warn!(%error, "cannot count the recovery codes of a user");
        });
        left.ok()
    }
}

/// `None`, and a line in the log, if no key that we have opens it. Then no code is right: a second factor that cannot be
/// checked is not one that is missing.
pub fn open(services: &Services, user_id: Uuid, sealed: &[u8]) -> Option<TotpSecret> {
    let opened = services.sealer.open(user_id, sealed);
    let secret = opened.and_then(|opened| TotpSecret::from_bytes(&opened.bytes));
    if secret.is_none() {
        tracing::error!(user = %user_id, "cannot decrypt the TOTP secret of a user");
    }
    secret
}
