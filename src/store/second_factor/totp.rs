//! The secrets of authenticator apps, sealed, one a user.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::store::clock::database_time;
use crate::store::schema::totp_secrets;

/// A secret that nobody has shown a code of yet.
#[derive(Queryable)]
pub struct Offered {
    pub secret: Vec<u8>,
    pub since: DateTime<Utc>,
    /// The time of the query.
    pub now: DateTime<Utc>,
}

/// Offers a secret, in place of one that was offered before. Returns since when, or `None` if the user has a confirmed one.
pub async fn offer(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    secret: &[u8],
) -> QueryResult<Option<DateTime<Utc>>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Timestamptz)]
        created_at: DateTime<Utc>,
    }
    let offered = "insert into totp_secrets as old (user_id, secret) values ($1, $2) \
        on conflict (user_id) do update set secret = excluded.secret, created_at = excluded.created_at \
        where old.confirmed_at is null returning created_at";
    let row = diesel::sql_query(offered)
        .bind::<SqlUuid, _>(user_id)
        .bind::<Binary, _>(secret)
        .get_result::<Row>(conn)
        .await
        .optional()?;
    Ok(row.map(|row| row.created_at))
}

pub async fn offered(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<Option<Offered>> {
    totp_secrets::table
        .find(user_id)
        .filter(totp_secrets::confirmed_at.is_null())
        .select((
            totp_secrets::secret,
            totp_secrets::created_at,
            database_time(),
        ))
        .first(conn)
        .await
        .optional()
}

/// From now on the user has this secret. False if it is no longer the one on offer. The code that confirmed it is used.
pub async fn confirm(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    secret: &[u8],
    step: i64,
) -> QueryResult<bool> {
    let offered = totp_secrets::table
        .find(user_id)
        .filter(totp_secrets::confirmed_at.is_null())
        .filter(totp_secrets::secret.eq(secret));
    let confirmed = diesel::update(offered)
        .set((
            totp_secrets::confirmed_at.eq(now),
            totp_secrets::last_step.eq(step),
        ))
        .execute(conn)
        .await?;
    Ok(confirmed > 0)
}

/// A user's confirmed secret.
pub async fn of_user(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<Option<Vec<u8>>> {
    totp_secrets::table
        .find(user_id)
        .filter(totp_secrets::confirmed_at.is_not_null())
        .select(totp_secrets::secret)
        .first(conn)
        .await
        .optional()
}

/// Uses the code of a time step up. False if it or a later one has been used: a code that somebody reads over a shoulder
/// is void (RFC 6238 5.2).
pub async fn claim(conn: &mut AsyncPgConnection, user_id: Uuid, step: i64) -> QueryResult<bool> {
    let unused = totp_secrets::table
        .find(user_id)
        .filter(totp_secrets::confirmed_at.is_not_null())
        .filter(totp_secrets::last_step.lt(step));
    let claimed = diesel::update(unused)
        .set(totp_secrets::last_step.eq(step))
        .execute(conn)
        .await?;
    Ok(claimed > 0)
}

/// Removes a secret that was confirmed at this time or later.
pub async fn remove_since(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    since: DateTime<Utc>,
) -> QueryResult<usize> {
    let newer = totp_secrets::table
        .find(user_id)
        .filter(totp_secrets::confirmed_at.ge(since));
    diesel::delete(newer).execute(conn).await
}

/// False if there was none. One that is only on offer goes, too.
pub async fn remove(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<bool> {
    let removed = diesel::delete(totp_secrets::table.find(user_id))
        .returning(totp_secrets::confirmed_at)
        .get_result::<Option<DateTime<Utc>>>(conn)
        .await
        .optional()?;
    Ok(removed.flatten().is_some())
}
