//! Logins that are not finished: one row each, keyed by the SHA-256 of the key in a cookie.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::pg::Pg;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::{
    Array, Binary, Bool, Integer, Interval, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::secret::{KeyHash, STEP_LIFE};
use crate::store::clock::{database_time, interval};
use crate::store::schema::login_steps;

/// A login whose first factor was right, while the user's password was that of `password_epoch`.
pub struct NewStep<'a> {
    pub key_hash: KeyHash,
    pub kind: &'a str,
    pub user_id: Uuid,
    pub password_epoch: i32,
    pub methods: &'a [&'static str],
    pub remembered: bool,
    pub redirect_to: Option<&'a str>,
}

/// A step that somebody may still take.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = login_steps, check_for_backend(Pg))]
pub struct Step {
    pub kind: String,
    pub user_id: Option<Uuid>,
    pub methods: Vec<String>,
    pub remembered: bool,
    pub redirect_to: Option<String>,
    /// Of somebody who is nobody here yet: the address that a provider has proven, and who they are there.
    pub email: Option<String>,
    pub identity: Option<Value>,
    pub tries_left: i16,
    pub expires_at: DateTime<Utc>,
}

/// Returns until when the step is open. `None` if the user was disabled or got another password meanwhile: whoever makes
/// such a change either waits for us and ends the step, or makes us wait and see it.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    step: &NewStep<'_>,
) -> QueryResult<Option<DateTime<Utc>>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Timestamptz)]
        expires_at: DateTime<Utc>,
    }
    let begun = "insert into login_steps (key_hash, kind, user_id, methods, remembered, redirect_to, expires_at) \
        select $1, $2, id, $4, $5, $6, now() + $8 from users \
        where id = $3 and password_epoch = $7 and disabled_at is null for share returning expires_at";
    let row = diesel::sql_query(begun)
        .bind::<Binary, _>(step.key_hash.as_bytes())
        .bind::<Text, _>(step.kind)
        .bind::<SqlUuid, _>(step.user_id)
        .bind::<Array<Text>, _>(step.methods)
        .bind::<Bool, _>(step.remembered)
        .bind::<Nullable<Text>, _>(step.redirect_to)
        .bind::<Integer, _>(step.password_epoch)
        .bind::<Interval, PgInterval>(interval(STEP_LIFE))
        .get_result::<Row>(conn)
        .await
        .optional()?;
    Ok(row.map(|row| row.expires_at))
}

pub async fn find(conn: &mut AsyncPgConnection, key: &KeyHash) -> QueryResult<Option<Step>> {
    login_steps::table
        .find(key)
        .filter(login_steps::expires_at.gt(now))
        .filter(login_steps::tries_left.gt(0))
        .select(Step::as_select())
        .first(conn)
        .await
        .optional()
}

/// Takes one of the tries. `None`: none is left, or the step is over. Returns the database's time, too.
pub async fn spend(
    conn: &mut AsyncPgConnection,
    key: &KeyHash,
) -> QueryResult<Option<(Step, DateTime<Utc>)>> {
    let open = login_steps::table
        .find(key)
        .filter(login_steps::expires_at.gt(now))
        .filter(login_steps::tries_left.gt(0));
    diesel::update(open)
        .set(login_steps::tries_left.eq(login_steps::tries_left - 1))
        .returning((Step::as_returning(), database_time()))
        .get_result(conn)
        .await
        .optional()
}

/// Gives back a try that was never evaluated.
pub async fn refund(conn: &mut AsyncPgConnection, key: &KeyHash) -> QueryResult<usize> {
    let open = login_steps::table
        .find(key)
        .filter(login_steps::expires_at.gt(now));
    diesel::update(open)
        .set(login_steps::tries_left.eq(login_steps::tries_left + 1))
        .execute(conn)
        .await
}

/// Ends a step. Its row stays for a moment: a wrong code may be on its way to the warning.
pub async fn give_up(conn: &mut AsyncPgConnection, key: &KeyHash) -> QueryResult<usize> {
    diesel::update(login_steps::table.find(key))
        .set((
            login_steps::tries_left.eq(0),
            login_steps::expires_at.eq(now),
        ))
        .execute(conn)
        .await
}

/// Whether a step is open, and stays so until the transaction ends. Its tries may be used up.
pub async fn hold(conn: &mut AsyncPgConnection, key: &KeyHash) -> QueryResult<bool> {
    let open = login_steps::table
        .find(key)
        .filter(login_steps::expires_at.gt(now))
        .select(login_steps::kind)
        .for_update();
    Ok(open.first::<String>(conn).await.optional()?.is_some())
}

/// Whether a step has not led to a login so far, and does not until the transaction ends. It may be over.
pub async fn is_unused(conn: &mut AsyncPgConnection, key: &KeyHash) -> QueryResult<bool> {
    let row = login_steps::table.find(key).select(login_steps::kind);
    let row = row.for_update().first::<String>(conn).await;
    Ok(row.optional()?.is_some())
}

/// Ends a step. False if it is over already. Whoever opens a session with it locks the user before.
pub async fn end(conn: &mut AsyncPgConnection, key: &KeyHash) -> QueryResult<bool> {
    let open = login_steps::table
        .find(key)
        .filter(login_steps::expires_at.gt(now));
    Ok(diesel::delete(open).execute(conn).await? > 0)
}

pub async fn end_of_user(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<usize> {
    let theirs = login_steps::table.filter(login_steps::user_id.eq(user_id));
    diesel::delete(theirs).execute(conn).await
}
