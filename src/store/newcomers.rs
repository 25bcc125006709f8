//! People whom a provider vouches for and who are nobody here yet: they are about to choose a name.

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, now};
use diesel::prelude::*;
use diesel::sql_types::{Interval, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::clock::interval;
use super::schema::{identities, login_steps, users};
use super::users::Account;
use crate::domain::secret::{KeyHash, STEP_LIFE};

/// The kind of their step.
pub const CHOOSE_USERNAME: &str = "choose_username";

pub struct NewStep<'a> {
    pub key_hash: &'a KeyHash,
    pub methods: &'a [&'static str],
    pub remembered: bool,
    pub redirect_to: Option<&'a str>,
    /// The address, if the provider has proven it.
    pub email: Option<&'a str>,
    /// Who they are at the provider.
    pub identity: &'a Value,
}

/// Returns until when the step is open.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    step: &NewStep<'_>,
) -> QueryResult<DateTime<Utc>> {
    let ends = now.into_sql::<Timestamptz>() + interval(STEP_LIFE).into_sql::<Interval>();
    diesel::insert_into(login_steps::table)
        .values((
            login_steps::key_hash.eq(step.key_hash),
            login_steps::kind.eq(CHOOSE_USERNAME),
            login_steps::methods.eq(step.methods),
            login_steps::remembered.eq(step.remembered),
            login_steps::redirect_to.eq(step.redirect_to),
            login_steps::email.eq(step.email),
            login_steps::identity.eq(step.identity),
            login_steps::expires_at.eq(ends),
        ))
        .returning(login_steps::expires_at)
        .get_result(conn)
        .await
}

/// Every open step of this person, who may have begun one in each tab. They stay until the transaction ends, so that of
/// several tabs one is the first.
pub async fn hold_steps(
    conn: &mut AsyncPgConnection,
    issuer: &str,
    subject: &str,
) -> QueryResult<Vec<KeyHash>> {
    let who = json!({ "issuer": issuer, "subject": subject });
    login_steps::table
        .filter(login_steps::kind.eq(CHOOSE_USERNAME))
        .filter(login_steps::identity.contains(who))
        .filter(login_steps::expires_at.gt(now))
        .order(login_steps::key_hash)
        .select(login_steps::key_hash)
        .for_update()
        .load(conn)
        .await
}

pub async fn end_steps(conn: &mut AsyncPgConnection, keys: &[KeyHash]) -> QueryResult<usize> {
    let keys = keys.iter().map(KeyHash::as_bytes);
    let ended = login_steps::table.filter(login_steps::key_hash.eq_any(keys));
    diesel::delete(ended).execute(conn).await
}

/// Deletes a user with this identity who has never proven an address, and so never logged in: the person begins again,
/// perhaps because the address was mistyped. Whoever was disabled stays so.
pub async fn forget_unproven(
    conn: &mut AsyncPgConnection,
    issuer: &str,
    subject: &str,
) -> QueryResult<usize> {
    let theirs = identities::table
        .filter(identities::user_id.eq(users::id))
        .filter(identities::issuer.eq(issuer))
        .filter(identities::subject.eq(subject));
    let unproven = users::email
        .is_null()
        .and(users::password_hash.is_null())
        .and(users::last_login_at.is_null())
        .and(users::disabled_at.is_null());
    diesel::delete(users::table.filter(unproven.and(exists(theirs))))
        .execute(conn)
        .await
}

/// The same of an account that has been read.
pub fn is_unproven(account: &Account) -> bool {
    let user = &account.user;
    let is_new = user.last_login_at.is_none() && user.disabled_at.is_none();
    is_new && user.email.is_none() && account.password_hash.is_none()
}
