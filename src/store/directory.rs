//! Users as administrators see them: found by the beginning of a name or an address, in pages.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use strum::EnumString;
use uuid::Uuid;

use super::schema::users;
use super::users::User;
use crate::domain::moment::Moment;
use crate::domain::role::Role;

/// A user with what only administrators see.
pub struct Listed {
    pub user: User,
    pub password: bool,
    pub sessions: i64,
    pub last_seen_at: Option<DateTime<Utc>>,
}

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// What the username or the address begins with, in any case.
    pub prefix: Option<String>,
    /// Exactly this role.
    pub role: Option<Role>,
    pub state: Option<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    Active,
    Disabled,
    Unverified,
}

/// Where a page ends, so that the next one neither skips nor repeats anybody, whoever registers meanwhile. Each order has
/// an index of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Registered(Moment),
    Username(String),
    /// Of those whose username does not match.
    Email(String),
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    key: String,
}

#[derive(QueryableByName)]
struct More {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Bool)]
    password: bool,
    #[diesel(sql_type = BigInt)]
    sessions: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_seen_at: Option<DateTime<Utc>>,
}

const BY_REGISTRATION: &str = "select id, created_at, '' as key from users \
    where (created_at, id) > ($1, $2)";
const BY_USERNAME: &str = "select id, created_at, lower(username) as key from users \
    where lower(username) collate \"C\" like lower($3) and lower(username) collate \"C\" > $4";
const BY_EMAIL: &str = "select id, created_at, lower(email) as key from users \
    where lower(email) collate \"C\" like lower($3) and lower(email) collate \"C\" > $4 \
    and lower(username) collate \"C\" not like lower($3)";

/// Up to `limit` users after `place`, each with their own place.
pub async fn page(
    conn: &mut AsyncPgConnection,
    filter: &Filter,
    place: Option<&Place>,
    limit: usize,
) -> QueryResult<Vec<(Listed, Place)>> {
    let mut found: Vec<(Uuid, Place)> = Vec::new();
    if filter.prefix.is_none() {
        let rows = search(
            conn,
            BY_REGISTRATION,
            "created_at, id",
            filter,
            place,
            limit,
        )
        .await?;
        let placed = |row: Found| {
            (
                row.id,
                Place::Registered(Moment {
                    at: row.created_at,
                    id: row.id,
                }),
            )
        };
        found.extend(rows.into_iter().map(placed));
    } else {
        if !matches!(place, Some(Place::Email(_))) {
            let order = "lower(username) collate \"C\"";
            let rows = search(conn, BY_USERNAME, order, filter, place, limit).await?;
            found.extend(
                rows.into_iter()
                    .map(|row| (row.id, Place::Username(row.key))),
            );
        }
        if found.len() < limit {
            let (order, rest) = ("lower(email) collate \"C\"", limit - found.len());
            let place = place.filter(|place| matches!(place, Place::Email(_)));
            let rows = search(conn, BY_EMAIL, order, filter, place, rest).await?;
            found.extend(rows.into_iter().map(|row| (row.id, Place::Email(row.key))));
        }
    }
    let ids: Vec<Uuid> = found.iter().map(|(id, _)| *id).collect();
    let mut all = details(conn, &ids).await?;
    let listed = found.into_iter();
    Ok(listed
        .filter_map(|(id, place)| Some((all.remove(&id)?, place)))
        .collect())
}

async fn search(
    conn: &mut AsyncPgConnection,
    way: &str,
    order: &str,
    filter: &Filter,
    place: Option<&Place>,
    limit: usize,
) -> QueryResult<Vec<Found>> {
    let role = filter
        .role
        .as_ref()
        .map(|_| " and id in (select user_id from user_roles where role = $5 and area = $6)");
    let state = filter.state.map(|state| match state {
        State::Active => " and disabled_at is null",
        State::Disabled => " and disabled_at is not null",
        State::Unverified => " and email_verified_at is null",
    });
    let conditions: String = role.into_iter().chain(state).collect();
    let (after, id, key) = match place {
        Some(Place::Registered(moment)) => (moment.at, moment.id, ""),
        Some(Place::Username(key) | Place::Email(key)) => {
            (DateTime::UNIX_EPOCH, Uuid::nil(), key.as_str())
        }
        None => (DateTime::UNIX_EPOCH, Uuid::nil(), ""),
    };
    let (name, area) = filter
        .role
        .as_ref()
        .map_or(("", ""), |role| (role.name(), role.area()));
    diesel::sql_query(format!("{way}{conditions} order by {order} limit $7"))
        .bind::<Timestamptz, _>(after)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(pattern(filter.prefix.as_deref().unwrap_or_default()))
        .bind::<Text, _>(key)
        .bind::<Text, _>(name)
        .bind::<Text, _>(area)
        .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(conn)
        .await
}

/// Whatever begins with this text, in which `%`, `_` and `\` are plain characters.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

pub async fn find(conn: &mut AsyncPgConnection, id: Uuid) -> QueryResult<Option<Listed>> {
    Ok(details(conn, &[id]).await?.remove(&id))
}

async fn details(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> QueryResult<HashMap<Uuid, Listed>> {
    let found: Vec<User> = users::table
        .filter(users::id.eq_any(ids))
        .select(User::as_select())
        .load(conn)
        .await?;
    let more = "select id, password_hash is not null as password, \
                (select count(*) from sessions where user_id = users.id and expires_at > now()) as sessions, \
                (select max(last_seen_at) from sessions where user_id = users.id) as last_seen_at \
                from users where id = any($1)";
    let more = diesel::sql_query(more).bind::<Array<SqlUuid>, _>(ids);
    let more: Vec<More> = more.load(conn).await?;
    let mut more: HashMap<Uuid, More> = more.into_iter().map(|more| (more.id, more)).collect();
    let listed = found.into_iter().filter_map(|user| {
        let more = more.remove(&user.id)?;
        let listed = Listed {
            password: more.password,
            sessions: more.sessions,
            last_seen_at: more.last_seen_at,
            user,
        };
        Some((listed.user.id, listed))
    });
    Ok(listed.collect())
}
