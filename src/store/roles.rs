//! Which user has which roles. They travel with the user (`roles_of`); this changes them.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{user_roles, users};
use crate::domain::role::{ADMIN, Role};

diesel::define_sql_function! {
    /// A user's roles, as `name` or `name:area`, in alphabetical order.
    fn roles_of(id: SqlUuid) -> Array<Text>;
}

/// Returns 0 if the user has it already.
pub async fn grant(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    role: &Role,
    granted_by: Option<Uuid>,
) -> QueryResult<usize> {
    diesel::insert_into(user_roles::table)
        .values((
            user_roles::user_id.eq(user_id),
            user_roles::role.eq(role.name()),
            user_roles::area.eq(role.area()),
            user_roles::granted_by.eq(granted_by),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
}

/// Returns 0 if the user does not have it.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    role: &Role,
) -> QueryResult<usize> {
    let granted = user_roles::table.find((user_id, role.name(), role.area()));
    diesel::delete(granted).execute(conn).await
}

pub async fn count(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<i64> {
    user_roles::table
        .filter(user_roles::user_id.eq(user_id))
        .count()
        .get_result(conn)
        .await
}

/// Gives a user exactly these roles.
pub async fn set(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    roles: &[Role],
    granted_by: Option<Uuid>,
) -> QueryResult<()> {
    let kept: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let surplus = "delete from user_roles where user_id = $1 \
                   and role || case area when '' then '' else ':' || area end <> all($2)";
    diesel::sql_query(surplus)
        .bind::<SqlUuid, _>(user_id)
        .bind::<Array<Text>, _>(&kept)
        .execute(conn)
        .await?;
    for role in roles {
        grant(conn, user_id, role, granted_by).await?;
    }
    Ok(())
}

/// "lkadmin" in ASCII.
const ADMINISTRATORS: i64 = 0x6c_6b61_646d_696e;

/// The administrators who can log in. Changes of who they are wait for each other from here to the end of the
/// transaction, so that two of them cannot remove each other at once.
pub async fn lock_administrators(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Uuid>> {
    diesel::sql_query("select pg_advisory_xact_lock($1)")
        .bind::<BigInt, _>(ADMINISTRATORS)
        .execute(conn)
        .await?;
    user_roles::table
        .inner_join(users::table.on(users::id.eq(user_roles::user_id)))
        .filter(user_roles::role.eq(ADMIN).and(users::disabled_at.is_null()))
        .select(user_roles::user_id)
        .load(conn)
        .await
}

/// Every role that somebody has, and how many have it.
pub async fn counts(conn: &mut AsyncPgConnection) -> QueryResult<Vec<(String, i64)>> {
    let counts: Vec<RoleCount> = diesel::sql_query(
        "select role || case area when '' then '' else ':' || area end as role, count(*) as users \
         from user_roles group by 1 order by 1",
    )
    .load(conn)
    .await?;
    Ok(counts
        .into_iter()
        .map(|one| (one.role, one.users))
        .collect())
}

#[derive(QueryableByName)]
struct RoleCount {
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = BigInt)]
    users: i64,
}
