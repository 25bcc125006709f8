//! Users: one row per registered person.

use chrono::{DateTime, Utc};
use diesel::dsl::{case_when, max, now};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::roles::RolesOfUser;
use super::schema::users;
use crate::domain::email::Email;
use crate::domain::password::PasswordHash;
use crate::domain::username::Username;

diesel::define_sql_function! {
    /// PostgreSQL's lower case, which the unique indexes use.
    fn lower(text: Text) -> Text;
}

diesel::define_sql_function! {
    /// The same for a column that may be null.
    #[sql_name = "lower"]
    fn lower_or_null(text: Nullable<Text>) -> Nullable<Text>;
}

/// What users may see of themselves. Without a password hash, it cannot leak one.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(check_for_backend(diesel::pg::Pg))]
pub struct User {
    pub id: Uuid,
    pub username: String,
    /// `None` until a first address is proven, where that is required.
    pub email: Option<String>,
    pub email_verified_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub last_login_at: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// A login takes two factors.
    pub second_factor_required: bool,
    /// `name` or `name:area`, in alphabetical order.
    #[diesel(select_expression = RolesOfUser)]
    #[diesel(select_expression_type = RolesOfUser)]
    pub roles: Vec<String>,
}

/// A user, with what it takes to check their password.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
pub struct Account {
    #[diesel(embed)]
    pub user: User,
    /// `None` if no password opens this account.
    pub password_hash: Option<PasswordHash>,
    pub password_epoch: i32,
}

#[derive(Insertable)]
#[diesel(table_name = users)]
pub struct NewUser<'a> {
    pub username: &'a Username,
    pub email: Option<&'a Email>,
    pub pending_email: Option<&'a Email>,
    pub password_hash: Option<&'a PasswordHash>,
    pub locale: Option<&'a str>,
}

/// Which of the two names are taken.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    pub username: bool,
    pub email: bool,
}

pub async fn insert(conn: &mut AsyncPgConnection, user: &NewUser<'_>) -> QueryResult<User> {
    diesel::insert_into(users::table)
        .values(user)
        .returning(User::as_returning())
        .get_result(conn)
        .await
}

pub async fn taken(
    conn: &mut AsyncPgConnection,
    username: Option<&Username>,
    email: Option<&Email>,
) -> QueryResult<Taken> {
    let username = username.map_or("", Username::as_str);
    let email = email.map_or("", Email::as_str);
    let same_username = lower(users::username).eq(lower(username));
    let same_email = lower_or_null(users::email).eq(lower_or_null(email));
    let found: Vec<(bool, Option<bool>)> = users::table
        .filter(same_username.nullable().or(same_email))
        .select((same_username, same_email))
        .load(conn)
        .await?;
    Ok(Taken {
        username: found.iter().any(|(username, _)| *username),
        email: found.iter().any(|(_, email)| *email == Some(true)),
    })
}

pub async fn find(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<Account>> {
    users::table
        .find(id)
        .select(Account::as_select())
        .first(conn)
        .await
        .optional()
}

/// Serializes logins, password changes and mass revocations of one user: each takes this lock, or updates the row,
/// before it touches the sessions.
pub async fn lock(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<Uuid>> {
    let row = users::table.find(id).select(users::id).for_no_key_update();
    row.first(conn).await.optional()
}

/// The memory that the most demanding hash of another system takes. `None`: nobody has one any more.
pub async fn foreign_hash_kib(conn: &mut AsyncPgConnection) -> QueryResult<Option<i32>> {
    users::table
        .select(max(users::foreign_hash_kib))
        .first(conn)
        .await
}

/// The same password under stronger parameters. Sessions continue.
pub async fn rehash(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    old: &PasswordHash,
    new: &PasswordHash,
) -> QueryResult<usize> {
    diesel::update(users::table.find(id).filter(users::password_hash.eq(old)))
        .set((users::password_hash.eq(new), users::rehashed_at.eq(now)))
        .execute(conn)
        .await
}

/// Sets a new password. A trigger ends the user's sessions.
pub async fn set_password(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    hash: &PasswordHash,
) -> QueryResult<usize> {
    diesel::update(users::table.find(id))
        .set(users::password_hash.eq(hash))
        .execute(conn)
        .await
}

/// No password opens the account any more. A new epoch ends the user's sessions (by trigger), even if there was none.
pub async fn void_password(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<usize> {
    diesel::update(users::table.find(id))
        .set((
            users::password_hash.eq(None::<String>),
            users::password_epoch.eq(users::password_epoch + 1),
            users::pending_email.eq(case_when(users::email.is_null(), users::pending_email)),
        ))
        .execute(conn)
        .await
}

/// Like [`set_password`], but only if the password is still that of `epoch`. Returns the new epoch.
pub async fn replace_password(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    epoch: i32,
    hash: &PasswordHash,
) -> QueryResult<Option<i32>> {
    let user = users::table
        .find(id)
        .filter(users::password_epoch.eq(epoch));
    diesel::update(user)
        .set(users::password_hash.eq(hash))
        .returning(users::password_epoch)
        .get_result(conn)
        .await
        .optional()
}

/// Disabling ends the user's sessions (by trigger). Enabling brings none of them back.
pub async fn set_disabled(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    disabled: bool,
) -> QueryResult<usize> {
    let user = diesel::update(users::table.find(id));
    if disabled {
        user.set(users::disabled_at.eq(now)).execute(conn).await
    } else {
        user.set(users::disabled_at.eq(None::<DateTime<Utc>>))
            .execute(conn)
            .await
    }
}

/// Deletes a user. Their sessions and events go with the row.
pub async fn delete(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<usize> {
    diesel::delete(users::table.find(id)).execute(conn).await
}
