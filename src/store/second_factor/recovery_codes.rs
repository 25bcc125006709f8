//! Recovery codes: those that have not been used yet, hashed with one salt a user.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::store::schema::{recovery_codes, recovery_sets};

/// How the codes of a user are hashed.
#[derive(Queryable, Selectable)]
#[diesel(table_name = recovery_sets, check_for_backend(Pg))]
pub struct RecoverySet {
    pub salt: Vec<u8>,
    pub params: String,
}

/// Replaces a user's codes.
pub async fn replace(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    salt: &[u8],
    params: &str,
    hashes: &[[u8; 32]],
) -> QueryResult<()> {
    remove(conn, user_id).await?;
    diesel::insert_into(recovery_sets::table)
        .values((
            recovery_sets::user_id.eq(user_id),
            recovery_sets::salt.eq(salt),
            recovery_sets::params.eq(params),
        ))
        .execute(conn)
        .await?;
    let rows = hashes.iter().map(|hash| {
        (
            recovery_codes::user_id.eq(user_id),
            recovery_codes::code_hash.eq(hash.as_slice()),
        )
    });
    diesel::insert_into(recovery_codes::table)
        .values(rows.collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn set_of(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
) -> QueryResult<Option<RecoverySet>> {
    recovery_sets::table
        .find(user_id)
        .select(RecoverySet::as_select())
        .first(conn)
        .await
        .optional()
}

/// Whether a user has this code.
pub async fn exists(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    hash: &[u8; 32],
) -> QueryResult<bool> {
    let code = recovery_codes::table.find((user_id, hash.as_slice()));
    diesel::select(diesel::dsl::exists(code))
        .get_result(conn)
        .await
}

/// Uses a code up. False if the user has none like it.
pub async fn claim(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    hash: &[u8; 32],
) -> QueryResult<bool> {
    let code = recovery_codes::table.find((user_id, hash.as_slice()));
    Ok(diesel::delete(code).execute(conn).await? > 0)
}

pub async fn left(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<i64> {
    recovery_codes::table
        .filter(recovery_codes::user_id.eq(user_id))
        .count()
        .get_result(conn)
        .await
}

/// Removes codes that were made at this time or later.
pub async fn remove_since(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    since: DateTime<Utc>,
) -> QueryResult<usize> {
    let newer = recovery_sets::table
        .find(user_id)
        .filter(recovery_sets::created_at.ge(since));
    diesel::delete(newer).execute(conn).await
}

pub async fn remove(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<usize> {
    diesel::delete(recovery_sets::table.find(user_id))
        .execute(conn)
        .await
}
