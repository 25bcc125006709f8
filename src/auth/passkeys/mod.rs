//! Passkeys: adding them, logging in with them, and taking them away.

use std::sync::Arc;

use uuid::Uuid;

use super::error::{AuthError, Result};
use super::services::Services;
use super::session::live::Visit;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::label::Label;
use crate::domain::rp_id::RpId;
use crate::store::passkeys;
pub use crate::store::passkeys::Passkey;
use relying_party::RelyingParty;

pub mod authentication;
pub mod ceremony;
pub mod login;
pub mod presented;
pub mod registration;
pub mod relying_party;
pub mod removal;

/// Passkeys per user: a few devices and a spare, and few enough for one list.
const MAX_PER_USER: usize = 10;

/// The passkeys of a user, and the domain whose passkeys browsers offer here. `None`: none are.
pub struct Listed {
    pub rp_id: Option<String>,
    pub passkeys: Vec<Passkey>,
}

/// What this server is to devices, if it offers passkeys.
fn party(services: &Services) -> Result<&Arc<RelyingParty>> {
    services.passkeys.as_ref().ok_or(AuthError::NotOffered)
}

/// Every passkey of a user, also those of another domain. A browser forgets those that a part of the list leaves out.
pub async fn list(services: &Services, visit: &Visit) -> Result<Listed> {
    let rp_id = services.rp_id().map(ToOwned::to_owned);
    let passkeys = of_user(services, visit.user.id).await?;
    Ok(Listed { rp_id, passkeys })
}

async fn of_user(services: &Services, user_id: Uuid) -> Result<Vec<Passkey>> {
    let db = &services.db;
    Ok(db
        .run(async |conn| passkeys::of_user(conn, user_id).await)
        .await?)
}

pub async fn rename(services: &Services, visit: &Visit, id: Uuid, name: &Label) -> Result<Passkey> {
    let user_id = visit.user.id;
    let renamed = services
        .db
        .run(async |conn| passkeys::rename(conn, user_id, id, name.as_str()).await);
    renamed.await?.ok_or(AuthError::ItemNotFound)
}

/// How many passkeys, of all users, belong to another domain than this one.
pub async fn count_elsewhere(services: &Services, rp_id: &RpId) -> Result<i64> {
    let db = &services.db;
    Ok(db
        .run(async |conn| passkeys::count_elsewhere(conn, rp_id.as_str()).await)
        .await?)
}

/// In a session, a passkey that proves nothing is an error in a field: 401 means that the session is over.
pub fn as_field(error: AuthError) -> AuthError {
    match error {
        AuthError::InvalidPasskey(_) => {
            let wrong = "This passkey was not accepted. Please try again.";
            let wrong = FieldError::new(FieldCode::Incorrect, wrong);
            FieldErrors::from(("credential", wrong)).into()
        }
        other => other,
    }
}

/// Whether browsers offer a passkey here.
pub fn is_usable(services: &Services, passkey: &Passkey) -> bool {
    services.rp_id() == Some(&passkey.rp_id)
}
