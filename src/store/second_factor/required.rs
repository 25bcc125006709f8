//! Whether logins of a user take two factors, and how many the sessions have.

use diesel::prelude::*;
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::store::schema::{sessions, users};

/// Changes nothing, and says so, if it is so already.
pub async fn set(conn: &mut AsyncPgConnection, id: Uuid, required: bool) -> QueryResult<bool> {
    let other = users::table
        .find(id)
        .filter(users::second_factor_required.ne(required));
    let changed = diesel::update(other)
        .set(users::second_factor_required.eq(required))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

/// Whether a session has two factors if its user's logins take them.
pub async fn is_met(conn: &mut AsyncPgConnection, session: Uuid) -> QueryResult<bool> {
    let enough = sessions::factors
        .gt(1)
        .or(users::second_factor_required.eq(false));
    let met = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(session).and(enough));
    diesel::select(diesel::dsl::exists(met))
        .get_result(conn)
        .await
}

/// The session's user has just shown a second factor in it.
pub async fn add_factor(
    conn: &mut AsyncPgConnection,
    session: Uuid,
    method: &str,
) -> QueryResult<usize> {
    let added = "update sessions set factors = 2, methods = array_append(array_remove(methods, $2), $2) where id = $1";
    diesel::sql_query(added)
        .bind::<SqlUuid, _>(session)
        .bind::<Text, _>(method)
        .execute(conn)
        .await
}

/// Without a second factor, only sessions that began with `both` factors in one keep two.
pub async fn drop_factor(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    both: &str,
) -> QueryResult<usize> {
    let theirs = sessions::table.filter(sessions::user_id.eq(user_id));
    let without = theirs.filter(diesel::dsl::not(sessions::methods.contains(vec![both])));
    diesel::update(without.filter(sessions::factors.gt(1)))
        .set(sessions::factors.eq(1_i16))
        .execute(conn)
        .await
}
