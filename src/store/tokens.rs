//! Links in mails that can still be used, each once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::pg::Pg;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Interval, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use strum::{EnumString, IntoStaticStr};
use uuid::Uuid;

use super::clock::interval;
use super::schema::{mails, tokens};
use crate::domain::secret::KeyHash;

/// What a link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    Reset,
    Verify,
    Change,
    Invitation,
    NotMe,
}

impl Purpose {
    /// NIST SP 800-63B-4 4.2.1.2 allows 24 hours for a mailed code. A link that changes an account gets less. An
    /// invitation gets more, because nobody waits for it, and a not-me link a week, because people go on holiday.
    fn lifetime(self) -> Duration {
        const HOUR: u64 = 3600;
        Duration::from_secs(match self {
            Self::Reset | Self::Change => HOUR,
            Self::Verify => 24 * HOUR,
            Self::Invitation => 72 * HOUR,
            Self::NotMe => 7 * 24 * HOUR,
        })
    }
}

pub struct NewToken<'a> {
    /// The mail that carries it.
    pub id: Uuid,
    pub purpose: Purpose,
    pub user_id: Uuid,
    pub hash: KeyHash,
    pub email: &'a str,
    /// When the mail was asked for: the newest counts.
    pub asked_at: DateTime<Utc>,
}

/// A link that can be used.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = tokens, check_for_backend(Pg))]
pub struct Token {
    pub id: Uuid,
    pub user_id: Uuid,
    pub kind: String,
    pub email: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl Token {
    pub fn purpose(&self) -> Option<Purpose> {
        self.kind.parse().ok()
    }
}

/// Makes the token of a mail valid. False if a newer one is already.
pub async fn issue(conn: &mut AsyncPgConnection, token: &NewToken<'_>) -> QueryResult<bool> {
    let columns = "insert into tokens as old (id, kind, user_id, token_hash, email, created_at, expires_at) \
                   values ($1, $2, $3, $4, $5, $6, now() + $7)";
    let conflict = match token.purpose {
        Purpose::NotMe => "on conflict (id) do update set token_hash = excluded.token_hash",
        _ => {
            "on conflict (user_id, kind) where kind <> 'not_me' do update set id = excluded.id, \
             token_hash = excluded.token_hash, email = excluded.email, created_at = excluded.created_at, \
             expires_at = excluded.expires_at where old.created_at <= excluded.created_at"
        }
    };
    let issued = diesel::sql_query(format!("{columns} {conflict}"))
        .bind::<SqlUuid, _>(token.id)
        .bind::<Text, _>(<&str>::from(token.purpose))
        .bind::<SqlUuid, _>(token.user_id)
        .bind::<Binary, _>(token.hash.as_bytes())
        .bind::<Text, _>(token.email)
        .bind::<Timestamptz, _>(token.asked_at)
        .bind::<Interval, PgInterval>(interval(token.purpose.lifetime()));
    Ok(issued.execute(conn).await? > 0)
}

/// The token with this hash, if it is good for one of these purposes.
pub async fn find(
    conn: &mut AsyncPgConnection,
    hash: KeyHash,
    purposes: &[Purpose],
) -> QueryResult<Option<Token>> {
    let kinds = purposes.iter().map(|purpose| <&str>::from(*purpose));
    tokens::table
        .filter(tokens::token_hash.eq(&hash))
        .filter(tokens::kind.eq_any(kinds))
        .filter(tokens::expires_at.gt(now))
        .select(Token::as_select())
        .first(conn)
        .await
        .optional()
}

/// Uses a token up. False if somebody else was faster. Its mail is not sent again, or the link would work once more.
pub async fn redeem(
    conn: &mut AsyncPgConnection,
    token: &Token,
    hash: KeyHash,
) -> QueryResult<bool> {
    // The mail first, as whoever sends it locks it before the token.
    diesel::delete(mails::table.find(token.id))
        .execute(conn)
        .await?;
    let valid = tokens::table.find(token.id);
    let valid = valid.filter(tokens::token_hash.eq(&hash).and(tokens::expires_at.gt(now)));
    Ok(diesel::delete(valid).execute(conn).await? > 0)
}

/// Voids a user's links after a change of address, because a former mailbox has them; all but those that take a change
/// back.
pub async fn void(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<usize> {
    let not_me: &str = Purpose::NotMe.into();
    let links = tokens::table.filter(tokens::user_id.eq(user_id).and(tokens::kind.ne(not_me)));
    diesel::delete(links).execute(conn).await
}

/// Voids the links to a user that were asked for after this time, of whatever kind.
pub async fn void_newer(
    conn: &mut AsyncPgConnection,
    user_id: Uuid,
    than: DateTime<Utc>,
) -> QueryResult<usize> {
    let links = tokens::table.filter(tokens::user_id.eq(user_id).and(tokens::created_at.gt(than)));
    diesel::delete(links).execute(conn).await
}

/// Voids the link that a mail carried when it was for somebody else.
pub async fn void_of_others(
    conn: &mut AsyncPgConnection,
    mail: Uuid,
    user_id: Uuid,
) -> QueryResult<usize> {
    let link = tokens::table.find(mail).filter(tokens::user_id.ne(user_id));
    diesel::delete(link).execute(conn).await
}

/// A user's links that still work.
pub async fn of_user(conn: &mut AsyncPgConnection, user_id: Uuid) -> QueryResult<Vec<Token>> {
    tokens::table
        .filter(tokens::user_id.eq(user_id).and(tokens::expires_at.gt(now)))
        .order(tokens::created_at)
        .select(Token::as_select())
        .load(conn)
        .await
}
