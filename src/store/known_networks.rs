//! The networks from which users logged in recently.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use super::schema::known_networks;

/// Logins insert their own. This is for a password change, which forgets all networks but the one it came from.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    network: IpNet,
) -> QueryResult<usize> {
    diesel::insert_into(known_networks::table)
        .values((
            known_networks::user_id.eq(user_id),
            known_networks::network.eq(network),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
}

/// Removes up to `limit` networks not seen for 90 days; returns how many.
pub async fn purge(conn: &mut AsyncPgConnection, limit: i64) -> QueryResult<usize> {
    let old = "delete from known_networks where (user_id, network) in (select user_id, network from known_networks \
        where seen_at < now() - interval '90 days' order by seen_at limit $1 for update skip locked)";
    diesel::sql_query(old)
        .bind::<BigInt, _>(limit)
        .execute(conn)
        .await
}
