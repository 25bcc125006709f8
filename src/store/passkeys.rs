//! Passkeys: one row per credential that a device of a user made.

use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, now};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::schema::passkeys;

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(check_for_backend(Pg))]
pub struct Passkey {
    pub id: Uuid,
    pub user_id: Uuid,
    pub credential_id: Vec<u8>,
    pub public_key: Value,
    /// Of 32 bits.
    pub sign_count: i64,
    pub aaguid: Option<Uuid>,
    pub transports: Vec<String>,
    pub backup_eligible: bool,
    pub backed_up: bool,
    pub rp_id: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

#[derive(Insertable)]
#[diesel(table_name = passkeys)]
pub struct NewPasskey<'a> {
    pub user_id: Uuid,
    pub credential_id: &'a [u8],
    pub public_key: Value,
    pub sign_count: i64,
    pub aaguid: Option<Uuid>,
    pub transports: Vec<String>,
    pub backup_eligible: bool,
    pub backed_up: bool,
    pub rp_id: &'a str,
    pub name: &'a str,
}

/// Fails with `passkeys_credential_id_key` if somebody has it already.
pub async fn insert(conn: &mut AsyncPgConnection, new: &NewPasskey<'_>) -> QueryResult<Passkey> {
    diesel::insert_into(passkeys::table)
        .values(new)
        .returning(Passkey::as_returning())
        .get_result(conn)
        .await
}

/// All passkeys of a user, the oldest first.
pub async fn of_user(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<Vec<Passkey>> {
    passkeys::table
        .filter(passkeys::user_id.eq(user_id))
        .order((passkeys::created_at, passkeys::id))
        .select(Passkey::as_select())
        .load(conn)
        .await
}

pub async fn count(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<i64> {
    let theirs = passkeys::table.filter(passkeys::user_id.eq(user_id));
    theirs.select(count_star()).get_result(conn).await
}

/// How many belong to another domain than this one, of all users.
pub async fn count_elsewhere(conn: &mut AsyncPgConnection, rp_id: &str) -> QueryResult<i64> {
    let elsewhere = passkeys::table.filter(passkeys::rp_id.ne(rp_id));
    elsewhere.select(count_star()).get_result(conn).await
}

/// The passkey that a device names.
pub async fn find(
    conn: &mut AsyncPgConnection,
    credential_id: &[u8],
) -> QueryResult<Option<Passkey>> {
    passkeys::table
        .filter(passkeys::credential_id.eq(credential_id))
        .select(Passkey::as_select())
        .first(conn)
        .await
        .optional()
}

pub async fn exists(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(passkeys::table.find(id)))
        .get_result(conn)
        .await
}

/// Records a use. False if the count is not greater than the one of before (unless the device does not count), or the
/// passkey is gone.
pub async fn note_use(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    sign_count: i64,
    backed_up: bool,
) -> QueryResult<bool> {
    let is_next = passkeys::sign_count.lt(sign_count);
    let neither_counts = passkeys::sign_count
        .eq(0)
        .and(passkeys::sign_count.eq(sign_count));
    let row = passkeys::table.find(id).filter(is_next.or(neither_counts));
    let used = diesel::update(row)
        .set((
            passkeys::sign_count.eq(sign_count),
            passkeys::backed_up.eq(backed_up),
            passkeys::last_used_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(used > 0)
}

/// `None` if this user has no passkey with this id.
pub async fn rename(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    id: Uuid,
    name: &str,
) -> QueryResult<Option<Passkey>> {
    diesel::update(
        passkeys::table
            .find(id)
            .filter(passkeys::user_id.eq(user_id)),
    )
    .set(passkeys::name.eq(name))
    .returning(Passkey::as_returning())
    .get_result(conn)
    .await
    .optional()
}

/// False if this user has no passkey with this id.
pub async fn remove(conn: &mut AsyncPgConnection, user_id: Uuid, id: Uuid) -> QueryResult<bool> {
    let one = passkeys::table
        .find(id)
        .filter(passkeys::user_id.eq(user_id));
    Ok(diesel::delete(one).execute(conn).await? > 0)
}

/// Those that were added from this moment on.
pub async fn remove_since(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    since: DateTime<Utc>,
) -> QueryResult<usize> {
    let theirs = passkeys::table.filter(passkeys::user_id.eq(user_id));
    diesel::delete(theirs.filter(passkeys::created_at.ge(since)))
        .execute(conn)
        .await
}

pub async fn remove_all(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<usize> {
    let theirs = passkeys::table.filter(passkeys::user_id.eq(user_id));
    diesel::delete(theirs).execute(conn).await
}
