//! Which user has which roles. They travel with the user (`roles_of`); this changes them.

use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::user_roles;
use crate::domain::role::Role;

diesel::define_sql_function! {
    /// A user's roles, as `name` or `name:area`, in alphabetical order.
    fn roles_of(id: SqlUuid) -> diesel::sql_types::Array<diesel::sql_types::Text>;
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
