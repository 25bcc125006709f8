//! Challenges: what devices have been asked to sign, each good for one try.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Interval, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::clock::interval;
use super::schema::challenges;
use crate::domain::secret::KeyHash;

/// Who asked for a challenge, and for what: nobody else may answer it, nor for anything else.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub purpose: &'static str,
    pub session_id: Option<Uuid>,
    /// The unfinished login.
    pub step: Option<&'a KeyHash>,
}

/// Keeps a challenge for `lifetime`. Returns when it ends.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    challenge: &KeyHash,
    asked: Asked<'_>,
    user_id: Option<Uuid>,
    state: &Value,
    lifetime: Duration,
) -> QueryResult<DateTime<Utc>> {
    let ends = now.into_sql::<Timestamptz>() + interval(lifetime).into_sql::<Interval>();
    diesel::insert_into(challenges::table)
        .values((
            challenges::challenge_hash.eq(challenge),
            challenges::purpose.eq(asked.purpose),
            challenges::user_id.eq(user_id),
            challenges::session_id.eq(asked.session_id),
            challenges::step_key_hash.eq(asked.step.map(KeyHash::as_bytes)),
            challenges::state.eq(state),
            challenges::expires_at.eq(ends),
        ))
        .returning(challenges::expires_at)
        .get_result(conn)
        .await
}

/// Uses a challenge up, whatever becomes of the answer. Returns its state, or `None` if it was used before, is too old, or
/// was somebody else's.
pub async fn take(
    conn: &mut AsyncPgConnection,
    challenge: &KeyHash,
    asked: Asked<'_>,
) -> QueryResult<Option<Value>> {
    let theirs = challenges::table
        .find(challenge)
        .filter(challenges::expires_at.gt(now))
        .filter(challenges::purpose.eq(asked.purpose))
        .filter(challenges::session_id.is_not_distinct_from(asked.session_id))
        .filter(challenges::step_key_hash.is_not_distinct_from(asked.step.map(KeyHash::as_bytes)));
    diesel::delete(theirs)
        .returning(challenges::state)
        .get_result(conn)
        .await
        .optional()
}

/// What a user has been asked to sign, and until when it counts.
pub async fn of_user(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
) -> QueryResult<Vec<(String, DateTime<Utc>)>> {
    challenges::table
        .filter(
            challenges::user_id
                .eq(user_id)
                .and(challenges::expires_at.gt(now)),
        )
        .order(challenges::expires_at)
        .select((challenges::purpose, challenges::expires_at))
        .load(conn)
        .await
}
