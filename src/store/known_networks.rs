//! From which networks users logged in lately.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use super::schema::known_networks;

/// A login does this by itself; this is for a password change, which forgets all networks but the one it came from.
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
    let old = || sql::<Bool>("seen_at < now() - interval '90 days'");
    let ids = known_networks::table
        .filter(old())
        .order(known_networks::seen_at)
        .limit(limit)
        .select((known_networks::user_id, known_networks::network));
    let ids: Vec<(Uuid, IpNet)> = ids.load(conn).await?;
    let mut gone = 0;
    for id in ids {
        gone += diesel::delete(known_networks::table.find(id).filter(old()))
            .execute(conn)
            .await?;
    }
    Ok(gone)
}
