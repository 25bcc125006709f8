//! The addresses of users: who has one, who asked for one, and what changes them.

use chrono::{DateTime, Utc};
use diesel::dsl::{case_when, now};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::users;
use super::users::lower_or_null;
use crate::domain::email::Email;

/// A user as far as mails and addresses go.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub struct Addressee {
    pub id: Uuid,
    pub username: String,
    pub email: Option<String>,
    pub pending_email: Option<String>,
    pub email_verified_at: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub locale: Option<String>,
}

pub async fn of_user(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<Addressee>> {
    users::table
        .find(id)
        .select(Addressee::as_select())
        .first(conn)
        .await
        .optional()
}

/// Finds a user and locks the row: links are used one after the other, and not while the password changes.
pub async fn lock(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<Addressee>> {
    users::table
        .find(id)
        .select(Addressee::as_select())
        .for_no_key_update()
        .first(conn)
        .await
        .optional()
}

/// Keeps the user's row as it is for the rest of the transaction. Locked before a mail or a token of the user, by everyone.
pub async fn hold(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<()> {
    let row = users::table.find(id).select(users::id).for_share();
    row.first::<Uuid>(conn).await.optional().map(drop)
}

/// Who has this address.
pub async fn holder(conn: &mut AsyncPgConnection, address: &str) -> QueryResult<Option<Addressee>> {
    users::table
        .filter(lower_or_null(users::email).eq(lower_or_null(address)))
        .select(Addressee::as_select())
        .first(conn)
        .await
        .optional()
}

/// The newest account that waits for this address as its first.
pub async fn newest_waiting(
    conn: &mut AsyncPgConnection,
    address: &str,
) -> QueryResult<Option<Addressee>> {
    users::table
        .filter(users::email.is_null())
        .filter(lower_or_null(users::pending_email).eq(lower_or_null(address)))
        .order(users::created_at.desc())
        .select(Addressee::as_select())
        .first(conn)
        .await
        .optional()
}

/// Notes the address that a user asked for. It counts once it is proven.
pub async fn ask_for(conn: &mut AsyncPgConnection, id: Uuid, email: &Email) -> QueryResult<usize> {
    diesel::update(users::table.find(id))
        .set(users::pending_email.eq(email.as_str()))
        .execute(conn)
        .await
}

/// Gives a user a proven address. Fails with `users_email_key` if somebody else has it meanwhile. Proving the present one
/// leaves a request for another as it is.
pub async fn prove(conn: &mut AsyncPgConnection, id: Uuid, address: &str) -> QueryResult<usize> {
    diesel::update(users::table.find(id))
        .set((
            users::email.eq(address),
            users::email_verified_at.eq(now),
            users::pending_email.eq(case_when(users::email.eq(address), users::pending_email)),
        ))
        .execute(conn)
        .await
}

/// Gives a user a former address back, of which somebody has just proven that it is theirs. Whoever only registered with
/// it since waits for it again, or an intruder could keep it from its owner. If somebody else has proven it, the user waits
/// for it.
pub async fn give_back(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    address: &str,
) -> QueryResult<usize> {
    let holds = lower_or_null(users::email).eq(lower_or_null(address));
    let others = users::table.filter(holds.and(users::id.ne(id)));
    diesel::update(others.filter(users::email_verified_at.is_null()))
        .set((
            users::pending_email.eq(users::email),
            users::email.eq(None::<String>),
        ))
        .execute(conn)
        .await?;
    let proven = others.select(users::id).first::<Uuid>(conn).await;
    if proven.optional()?.is_none() {
        return prove(conn, id, address).await;
    }
    diesel::update(users::table.find(id))
        .set((
            users::email.eq(None::<String>),
            users::email_verified_at.eq(None::<DateTime<Utc>>),
            users::pending_email.eq(address),
        ))
        .execute(conn)
        .await
}
