//! Browsers in which a user needs no second factor, under the ids in their device cookies.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::pg::Pg;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::{Inet, Interval, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use crate::store::clock::interval;
use crate::store::schema::trusted_devices;

/// A browser to trust.
pub struct NewDevice<'a> {
    pub id: Uuid,
    pub user_id: Uuid,
    pub user_agent: Option<&'a str>,
    pub ip: IpNet,
    pub lifetime: Duration,
}

/// A browser that is trusted.
#[derive(Queryable, Selectable)]
#[diesel(table_name = trusted_devices, check_for_backend(Pg))]
pub struct TrustedDevice {
    pub id: Uuid,
    pub user_agent: Option<String>,
    pub ip: Option<IpNet>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Trusts a browser, or trusts it anew.
pub async fn insert(conn: &mut AsyncPgConnection, device: &NewDevice<'_>) -> QueryResult<usize> {
    let trusted = "insert into trusted_devices (id, user_id, user_agent, ip, expires_at) \
        values ($1, $2, $3, $4, now() + $5) \
        on conflict (id) do update set user_agent = excluded.user_agent, ip = excluded.ip, \
        created_at = excluded.created_at, last_used_at = excluded.last_used_at, expires_at = excluded.expires_at";
    diesel::sql_query(trusted)
        .bind::<SqlUuid, _>(device.id)
        .bind::<SqlUuid, _>(device.user_id)
        .bind::<Nullable<Text>, _>(device.user_agent)
        .bind::<Inet, _>(device.ip)
        .bind::<Interval, PgInterval>(interval(device.lifetime))
        .execute(conn)
        .await
}

/// Whether a user trusts this browser. If so, that is noted as its last use.
pub async fn note_use(conn: &mut AsyncPgConnection, user_id: Uuid, id: Uuid) -> QueryResult<bool> {
    let trusted = trusted_devices::table
        .find(id)
        .filter(trusted_devices::user_id.eq(user_id))
        .filter(trusted_devices::expires_at.gt(now));
    let used = diesel::update(trusted)
        .set(trusted_devices::last_used_at.eq(now))
        .execute(conn)
        .await?;
    Ok(used > 0)
}

/// The most recently used first.
pub async fn list(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<Vec<TrustedDevice>> {
    trusted_devices::table
        .filter(trusted_devices::user_id.eq(user_id))
        .filter(trusted_devices::expires_at.gt(now))
        .order((trusted_devices::last_used_at.desc(), trusted_devices::id))
        .select(TrustedDevice::as_select())
        .load(conn)
        .await
}

/// False if the user trusts no such browser.
pub async fn remove(conn: &mut AsyncPgConnection, user_id: Uuid, id: Uuid) -> QueryResult<bool> {
    let device = trusted_devices::table
        .find(id)
        .filter(trusted_devices::user_id.eq(user_id));
    Ok(diesel::delete(device).execute(conn).await? > 0)
}

pub async fn remove_all(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<usize> {
    let theirs = trusted_devices::table.filter(trusted_devices::user_id.eq(user_id));
    diesel::delete(theirs).execute(conn).await
}
