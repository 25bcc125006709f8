//! Sessions: one row per logged-in browser, keyed by the SHA-256 of the key in its cookie.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Array, Interval, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use super::clock::{database_time, interval};
use super::db::server::pg_is_in_recovery;
use super::schema::{sessions, users};
use super::users::User;
use crate::domain::secret::KeyHash;

/// What it takes to recognize a session.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(check_for_backend(diesel::pg::Pg))]
pub struct Session {
    pub id: Uuid,
    pub user_id: Uuid,
    pub remembered: bool,
    pub created_at: DateTime<Utc>,
    pub authenticated_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// With what its user proved who they are.
    pub methods: Vec<String>,
    /// How many factors those were.
    pub factors: i16,
}

/// A session as its user sees it in the list.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(diesel::pg::Pg))]
pub struct ListedSession {
    #[diesel(embed)]
    pub session: Session,
    pub ip: Option<IpNet>,
    pub user_agent: Option<String>,
}

/// The parts of a session that continue under a new id and key.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, check_for_backend(diesel::pg::Pg))]
pub struct Continued {
    pub user_id: Uuid,
    pub remembered: bool,
    pub ip: Option<IpNet>,
    pub user_agent: Option<String>,
    pub created_at: DateTime<Utc>,
    pub authenticated_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub methods: Vec<String>,
    pub factors: i16,
}

/// A session as the database has it.
#[derive(Queryable)]
pub struct Found {
    /// When that was true.
    pub now: DateTime<Utc>,
    /// The server is a standby, which may lag behind.
    pub is_in_recovery: bool,
    pub session: Session,
    pub user: User,
}

/// The session with this key and its user, in one round trip.
pub async fn find(conn: &mut &AsyncPgConnection, key_hash: &KeyHash) -> QueryResult<Option<Found>> {
    sessions::table
        .inner_join(users::table)
        .filter(sessions::key_hash.eq(key_hash))
        .select((
            database_time(),
            pg_is_in_recovery(),
            Session::as_select(),
            User::as_select(),
        ))
        .first(conn)
        .await
        .optional()
}

/// Ends all but the newest `keep` sessions of a user. Returns the hashes of their keys.
pub async fn end_oldest(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    keep: i64,
) -> QueryResult<Vec<KeyHash>> {
    let all = diesel::alias!(sessions as all_sessions);
    let surplus = all
        .filter(all.field(sessions::user_id).eq(user_id))
        .order((
            all.field(sessions::created_at).desc(),
            all.field(sessions::id),
        ))
        .offset(keep)
        .select(all.field(sessions::id));
    diesel::delete(sessions::table.filter(sessions::id.eq_any(surplus)))
        .returning(sessions::key_hash)
        .get_results(conn)
        .await
}

/// Ends a session that looked expired, unless it has been used since.
pub async fn end_unused(conn: &mut AsyncPgConnection, session: &Session) -> QueryResult<usize> {
    let unused = sessions::last_seen_at.eq(session.last_seen_at);
    diesel::delete(sessions::table.find(session.id).filter(unused))
        .execute(conn)
        .await
}

/// Whether a session is still there.
pub async fn exists(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(sessions::table.find(id)))
        .get_result(conn)
        .await
}

/// Ends one session of this user by its public id. Returns the hash of its key.
pub async fn end_of_user(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    id: Uuid,
) -> QueryResult<Option<KeyHash>> {
    diesel::delete(
        sessions::table
            .find(id)
            .filter(sessions::user_id.eq(user_id)),
    )
    .returning(sessions::key_hash)
    .get_result(conn)
    .await
    .optional()
}

/// Ends all sessions of a user, or all but `kept`. Returns the hashes of their keys.
pub async fn end_all(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    kept: Option<Uuid>,
) -> QueryResult<Vec<KeyHash>> {
    let others = sessions::table.filter(sessions::user_id.eq(user_id));
    let others = others.filter(sessions::id.nullable().is_distinct_from(kept));
    diesel::delete(others)
        .returning(sessions::key_hash)
        .get_results(conn)
        .await
}

/// All sessions of a user, most recently used first, with the time of the query.
pub async fn list(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
) -> QueryResult<Vec<(DateTime<Utc>, ListedSession)>> {
    sessions::table
        .filter(sessions::user_id.eq(user_id))
        .order((sessions::last_seen_at.desc(), sessions::id))
        .select((database_time(), ListedSession::as_select()))
        .load(conn)
        .await
}

/// The key hashes of a user's sessions other than `id`.
pub async fn keys_of_others(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    id: Uuid,
) -> QueryResult<Vec<KeyHash>> {
    let others = sessions::table.filter(sessions::user_id.eq(user_id).and(sessions::id.ne(id)));
    others.select(sessions::key_hash).load(conn).await
}

/// The parts of a session that survive a new password. Locks the row, so that anyone who ends the session meanwhile
/// waits, and nothing revives it.
pub async fn to_continue(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<Continued>> {
    let row = sessions::table
        .find(id)
        .select(Continued::as_select())
        .for_update();
    row.first(conn).await.optional()
}

/// Inserts the session under a new id and key.
pub async fn continue_under(
    conn: &mut AsyncPgConnection,
    key_hash: &KeyHash,
    continued: Continued,
) -> QueryResult<Session> {
    diesel::insert_into(sessions::table)
        .values((sessions::key_hash.eq(key_hash), continued))
        .returning(Session::as_returning())
        .get_result(conn)
        .await
}

/// Gives the session another key, and marks it as just authenticated, with these methods. `None` if it has ended.
pub async fn renew(
    conn: &mut AsyncPgConnection,
    old_key_hash: &KeyHash,
    new_key_hash: &KeyHash,
    methods: &[&str],
    factors: i16,
) -> QueryResult<Option<Session>> {
    diesel::update(sessions::table.filter(sessions::key_hash.eq(old_key_hash)))
        .set((
            sessions::key_hash.eq(new_key_hash),
            sessions::authenticated_at.eq(now),
            sessions::methods.eq(methods),
            sessions::factors.eq(factors),
        ))
        .returning(Session::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Records how long ago these sessions were used. Never inserts, so an ended session stays ended. Never waits: a locked
/// row is about to end or change, and its use can be recorded later.
pub async fn touch(conn: &mut AsyncPgConnection, uses: &[(Uuid, Duration)]) -> QueryResult<usize> {
    let ids: Vec<_> = uses.iter().map(|(id, _)| *id).collect();
    let ages: Vec<_> = uses.iter().map(|(_, age)| interval(*age)).collect();
    let touched = "with free as (select id from sessions where id = any($1) for update skip locked) \
        update sessions set last_seen_at = greatest(last_seen_at, now() - age) \
        from free join unnest($1, $2) as used (id, age) using (id) where sessions.id = free.id";
    diesel::sql_query(touched)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Interval>, _>(ages)
        .execute(conn)
        .await
}
