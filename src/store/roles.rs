//! Which user has which roles. They travel with the user ([`RolesOfUser`]); this changes them.

use chrono::{DateTime, Utc};
use diesel::dsl::count_star;
use diesel::expression::{ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{user_roles, users};
use crate::domain::role::{ADMIN, Role};

/// The roles of the row of `users`, in alphabetical order. A subquery, because a function would cost more than all the
/// rest of the query.
pub const OF_USER: &str =
    "array(select full_name from user_roles where user_id = users.id order by full_name)";

/// [`OF_USER`] as a column.
#[derive(Clone, Copy, QueryId)]
pub struct RolesOfUser;

impl Expression for RolesOfUser {
    type SqlType = Array<Text>;
}

impl<Tables> AppearsOnTable<Tables> for RolesOfUser {}
impl<Tables> SelectableExpression<Tables> for RolesOfUser {}
impl<Groups> ValidGrouping<Groups> for RolesOfUser {
    type IsAggregate = is_aggregate::No;
}

impl QueryFragment<Pg> for RolesOfUser {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(OF_USER);
        Ok(())
    }
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

/// The roles of a user, and since when they have each.
pub async fn of_user(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
) -> QueryResult<Vec<(String, DateTime<Utc>)>> {
    user_roles::table
        .filter(user_roles::user_id.eq(user_id))
        .order(user_roles::full_name)
        .select((user_roles::full_name, user_roles::created_at))
        .load(conn)
        .await
}

/// How many have exactly this role, counting no further than `most`.
pub async fn have(conn: &mut AsyncPgConnection, role: &Role, most: i64) -> QueryResult<i64> {
    let counted = "select count(*) as users from \
                   (select from user_roles where role = $1 and area = $2 limit $3) as some_of_them";
    let counted = diesel::sql_query(counted)
        .bind::<Text, _>(role.name())
        .bind::<Text, _>(role.area())
        .bind::<BigInt, _>(most)
        .get_result::<Count>(conn);
    Ok(counted.await?.users)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    users: i64,
}

/// Gives a user exactly these roles.
pub async fn set(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    roles: &[Role],
    granted_by: Option<Uuid>,
) -> QueryResult<()> {
    let kept: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let surplus = user_roles::table
        .filter(user_roles::user_id.eq(user_id))
        .filter(user_roles::full_name.ne_all(kept));
    diesel::delete(surplus).execute(conn).await?;
    for role in roles {
        grant(conn, user_id, role, granted_by).await?;
    }
    Ok(())
}

/// "lkadmin" in ASCII.
const ADMINISTRATORS: i64 = 0x6c_6b61_646d_696e;

/// The administrators who are not disabled.
pub struct Administrators(Vec<(Uuid, bool)>);

impl Administrators {
    pub fn contain(&self, id: Uuid) -> bool {
        self.0.iter().any(|(other, _)| *other == id)
    }

    /// Whether this is an administrator without whom nobody could log in as one.
    pub fn has_last(&self, id: Uuid) -> bool {
        let mut others = self.0.iter().filter(|(other, _)| *other != id);
        self.contain(id) && !others.any(|(_, has_password)| *has_password)
    }
}

/// Changes of who administers wait for each other from here to the end of the transaction, so that two administrators
/// cannot remove each other at once.
pub async fn lock_administrators(conn: &mut AsyncPgConnection) -> QueryResult<Administrators> {
    diesel::sql_query("select pg_advisory_xact_lock($1)")
        .bind::<BigInt, _>(ADMINISTRATORS)
        .execute(conn)
        .await?;
    let all = user_roles::table
        .inner_join(users::table.on(users::id.eq(user_roles::user_id)))
        .filter(user_roles::role.eq(ADMIN).and(users::disabled_at.is_null()))
        .select((user_roles::user_id, users::password_hash.is_not_null()))
        .load(conn);
    Ok(Administrators(all.await?))
}

/// Every role that somebody has, and how many have it.
pub async fn counts(conn: &mut AsyncPgConnection) -> QueryResult<Vec<(String, i64)>> {
    user_roles::table
        .group_by(user_roles::full_name)
        .select((user_roles::full_name, count_star()))
        .order(user_roles::full_name)
        .load(conn)
        .await
}
