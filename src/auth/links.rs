//! Links from mails: finding them and using them up.

use super::error::{AuthError, Result};
use super::limits::Charge;
use super::limits::table::TOKEN;
use super::services::Services;
use crate::domain::client::Client;
use crate::domain::secret::{KeyHash, MailToken};
use crate::store::addresses::{self, Addressee};
use crate::store::db::error::DbError;
use crate::store::db::{Connection, QueryResult};
use crate::store::tokens::{self, Purpose, Token};

/// Finds the token of a link, if it is good for one of these purposes.
pub async fn find(
    services: &Services,
    token: Option<&MailToken>,
    purposes: &[Purpose],
    client: &Client,
) -> Result<(Token, KeyHash)> {
    let charge = Charge::new(TOKEN, client.network());
    services.limits.take(&[charge], client).await?;
    let hash = token.ok_or(AuthError::TokenInvalid)?.hash();
    let found = services
        .db
        .run(async |conn| tokens::find(conn, hash, purposes).await)
        .await?;
    Ok((found.ok_or(AuthError::TokenInvalid)?, hash))
}

/// Uses a link up. `None` if somebody was faster, or it was sent to an address that is no longer the user's.
pub async fn redeem(
    conn: &mut Connection,
    token: &Token,
    hash: KeyHash,
) -> QueryResult<Option<Addressee>> {
    let Some(user) = addresses::lock(conn, token.user_id).await? else {
        return Ok(None);
    };
    let theirs = match token.purpose() {
        // A new address is not the user's yet, and a former one no longer.
        Some(Purpose::Change) => user.pending_email.as_ref(),
        Some(Purpose::NotMe) => Some(&token.email),
        _ => user.email.as_ref().or(user.pending_email.as_ref()),
    };
    if theirs != Some(&token.email) || !tokens::redeem(conn, token, hash).await? {
        return Ok(None);
    }
    Ok(Some(user))
}

/// Whether a link did its work. It is void if somebody else has proven the address meanwhile.
pub fn unless_taken(done: std::result::Result<bool, DbError>) -> Result<bool> {
    match done {
        Err(DbError::Constraint(name)) if name == "users_email_key" => Ok(false),
        done => Ok(done?),
    }
}
