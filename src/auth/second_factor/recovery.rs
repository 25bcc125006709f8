//! Recovery codes: ten for when the authenticator app is lost, each good once.

use uuid::Uuid;

use crate::auth::error::{AuthError, Result};
use crate::auth::events::Kind;
use crate::auth::hashing::params::HashParams;
use crate::auth::outbox::Notice;
use crate::auth::recent;
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::secret::random;
use crate::mail::kind::MailKind;
use crate::store::db::{Connection, QueryResult};
use crate::store::second_factor::recovery_codes;
use crate::store::ways;

const CODES: usize = 10;

/// Codes that nobody has yet, and what is stored of them.
pub struct NewCodes {
    /// To be shown once.
    pub codes: Vec<RecoveryCode>,
    salt: [u8; 16],
    params: HashParams,
    hashes: Vec<[u8; 32]>,
}

impl NewCodes {
    pub async fn generate(services: &Services) -> Result<Self> {
        let (salt, params) = (random()?, services.hasher.current_params());
        let (mut codes, mut hashes) = (Vec::new(), Vec::new());
        for _ in 0..CODES {
            let code = RecoveryCode::generate()?;
            let hash = services.hasher.digest(&code, salt, params.clone());
            hashes.push(hash.await?);
            codes.push(code);
        }
        Ok(Self {
            codes,
            salt,
            params,
            hashes,
        })
    }

    /// Gives them to a user, in place of the old ones.
    pub async fn give(&self, conn: &mut Connection, user_id: Uuid) -> QueryResult<()> {
        let params = self.params.to_string();
        recovery_codes::replace(conn, user_id, &self.salt, &params, &self.hashes).await
    }

    /// As people read them.
    pub fn texts(&self) -> Vec<String> {
        self.codes.iter().map(RecoveryCode::to_string).collect()
    }
}

/// The hash of a code, if the user has it.
pub async fn hash_of(
    services: &Services,
    user_id: Uuid,
    code: RecoveryCode,
) -> Result<Option<[u8; 32]>> {
    let set = services
        .db
        .run(async |conn| recovery_codes::set_of(conn, user_id).await);
    let Some(set) = set.await? else {
        return Ok(None);
    };
    let salt = set.salt.try_into().ok();
    let (salt, params) = salt
        .zip(HashParams::parse(&set.params))
        .ok_or_else(|| AuthError::Internal("a recovery set cannot be read".to_owned()))?;
    let hash = services.hasher.digest(&code, salt, params);
    let hash = hash.await?;
    let known = services
        .db
        .run(async |conn| recovery_codes::exists(conn, user_id, &hash).await);
    Ok(known.await?.then_some(hash))
}

/// New codes in place of the old ones.
pub async fn renew(services: &Services, visit: &Visit, client: &Client) -> Result<NewCodes> {
    let user_id = visit.user.id;
    if !visit.user.second_factor_required {
        return Err(AuthError::NoSecondFactor);
    }
    let codes = NewCodes::generate(services).await?;
    let notice = Notice::prepare(services, &visit.user, client).await?;
    let given = services.db.transaction(async |conn| {
        if !recent::persists(conn, visit).await? {
            return Ok(Err(AuthError::NotAuthenticated));
        }
        // Turned off meanwhile?
        let ways = ways::of_user(conn, user_id, services.offer())
            .await?
            .unwrap_or_default();
        if !ways.second_factor_required {
            return Ok(Err(AuthError::NoSecondFactor));
        }
        codes.give(conn, user_id).await?;
        let kind = MailKind::RecoveryCodesRenewed;
        notice.tell(conn, kind, user_id).await.map(Ok)
    });
    given.await??;
    services.mailbox.wake();
    let kind = Kind::RecoveryCodesRenewed;
    services.events.record(kind, Some(user_id), client).await;
    Ok(codes)
}
