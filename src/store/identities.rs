//! Accounts at providers with which users log in here: one row each.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::identities;

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = identities, check_for_backend(Pg))]
pub struct Identity {
    pub id: Uuid,
    pub user_id: Uuid,
    pub issuer: String,
    pub subject: String,
    pub provider: String,
    pub email: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

#[derive(Insertable)]
#[diesel(table_name = identities)]
pub struct NewIdentity<'a> {
    pub user_id: Uuid,
    pub issuer: &'a str,
    pub subject: &'a str,
    pub provider: &'a str,
    pub email: Option<&'a str>,
    /// Whether its user had proven the address of the account, or the provider had.
    pub address_proven: bool,
}

/// Fails with `identities_issuer_subject_key` if somebody has it already.
pub async fn insert(conn: &mut AsyncPgConnection, new: &NewIdentity<'_>) -> QueryResult<usize> {
    diesel::insert_into(identities::table)
        .values((new, identities::last_used_at.eq(now)))
        .execute(conn)
        .await
}

/// Whose account at the provider this is here.
pub async fn find(
    conn: &mut AsyncPgConnection,
    issuer: &str,
    subject: &str,
) -> QueryResult<Option<Identity>> {
    let is_it = identities::issuer
        .eq(issuer)
        .and(identities::subject.eq(subject));
    identities::table
        .filter(is_it)
        .select(Identity::as_select())
        .first(conn)
        .await
        .optional()
}

/// Whether it is still there, and stays until the transaction ends.
pub async fn note_use(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<bool> {
    let used = diesel::update(identities::table.find(id))
        .set(identities::last_used_at.eq(now))
        .execute(conn)
        .await?;
    Ok(used > 0)
}

/// All of a user, the oldest first.
pub async fn of_user(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<Vec<Identity>> {
    identities::table
        .filter(identities::user_id.eq(user_id))
        .order((identities::created_at, identities::id))
        .select(Identity::as_select())
        .load(conn)
        .await
}

/// False if this user has none with this id.
pub async fn remove(conn: &mut AsyncPgConnection, user_id: Uuid, id: Uuid) -> QueryResult<bool> {
    let one = identities::table
        .find(id)
        .filter(identities::user_id.eq(user_id));
    Ok(diesel::delete(one).execute(conn).await? > 0)
}

/// Those that were added from this moment on.
pub async fn remove_since(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    since: DateTime<Utc>,
) -> QueryResult<usize> {
    let theirs = identities::table.filter(identities::user_id.eq(user_id));
    diesel::delete(theirs.filter(identities::created_at.ge(since)))
        .execute(conn)
        .await
}

/// Those that registered with an address that nobody had proven yet.
pub async fn remove_unproven(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<usize> {
    let theirs = identities::table.filter(identities::user_id.eq(user_id));
    diesel::delete(theirs.filter(identities::address_proven.eq(false)))
        .execute(conn)
        .await
}

pub async fn remove_all(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<usize> {
    let theirs = identities::table.filter(identities::user_id.eq(user_id));
    diesel::delete(theirs).execute(conn).await
}
