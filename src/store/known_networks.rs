//! The networks from which users logged in recently.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
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

/// The networks from which a user logged in, and when last.
pub async fn of_user(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
) -> QueryResult<Vec<(IpNet, DateTime<Utc>)>> {
    known_networks::table
        .filter(known_networks::user_id.eq(user_id))
        .order(known_networks::seen_at.desc())
        .select((known_networks::network, known_networks::seen_at))
        .load(conn)
        .await
}
