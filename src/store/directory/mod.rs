//! Users as administrators see them: found by the beginning of a name or an address, in pages.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::users;
use super::users::User;
use crate::domain::moment::Moment;
pub use filter::{Filter, Place, State};
use search::{BY_EMAIL, BY_REGISTRATION, BY_USERNAME, Found, Search};

mod filter;
mod search;

/// A user with what only administrators see.
pub struct Listed {
    pub user: User,
    pub password: bool,
    pub totp: bool,
    pub passkeys: i64,
    /// The names of the providers.
    pub identities: Vec<String>,
    pub sessions: i64,
    pub last_seen_at: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct More {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Bool)]
    password: bool,
    #[diesel(sql_type = Bool)]
    totp: bool,
    #[diesel(sql_type = BigInt)]
    passkeys: i64,
    #[diesel(sql_type = Array<Text>)]
    identities: Vec<String>,
    #[diesel(sql_type = BigInt)]
    sessions: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_seen_at: Option<DateTime<Utc>>,
}

pub struct Page {
    pub users: Vec<Listed>,
    /// Where the page ends, if there are more users.
    pub end: Option<Place>,
}

/// Up to `limit` users after `place`.
pub async fn page(
    conn: &mut AsyncPgConnection,
    filter: &Filter,
    place: Option<&Place>,
    limit: usize,
) -> QueryResult<Page> {
    let mut found = places(conn, filter, place, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    // Of those who have been found, some may be deleted by now.
    let ids: Vec<Uuid> = found.iter().map(|(id, _)| *id).collect();
    let mut all = details(conn, &ids).await?;
    Ok(Page {
        users: ids.iter().filter_map(|id| all.remove(id)).collect(),
        end: found.pop().filter(|_| more).map(|(_, place)| place),
    })
}

async fn places(
    conn: &mut AsyncPgConnection,
    filter: &Filter,
    place: Option<&Place>,
    limit: usize,
) -> QueryResult<Vec<(Uuid, Place)>> {
    let mut found: Vec<(Uuid, Place)> = Vec::new();
    let search = Search::begin(conn, filter).await?;
    if filter.prefix.is_none() {
        let rows = search.run(conn, BY_REGISTRATION, place, limit).await?;
        let at = |row: &Found| Moment {
            at: row.created_at,
            id: row.id,
        };
        let placed = |row: Found| (row.id, Place::Registered(at(&row)));
        found.extend(rows.into_iter().map(placed));
    } else {
        if !matches!(place, Some(Place::Email(_))) {
            let rows = search.run(conn, BY_USERNAME, place, limit).await?;
            let placed = |row: Found| (row.id, Place::Username(row.key));
            found.extend(rows.into_iter().map(placed));
        }
        if found.len() < limit {
            let place = place.filter(|place| matches!(place, Place::Email(_)));
            let rest = limit - found.len();
            let rows = search.run(conn, BY_EMAIL, place, rest).await?;
            found.extend(rows.into_iter().map(|row| (row.id, Place::Email(row.key))));
        }
    }
    Ok(found)
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
                exists (select from totp_secrets where user_id = users.id and confirmed_at is not null) as totp, \
                (select count(*) from passkeys where user_id = users.id) as passkeys, \
                array(select provider from identities where user_id = users.id order by created_at, id) as identities, \
                (select count(*) from sessions where user_id = users.id and expires_at > now()) as sessions, \
                greatest(last_login_at, (select max(last_seen_at) from sessions where user_id = users.id)) as last_seen_at \
                from users where id = any($1)";
    let more = diesel::sql_query(more).bind::<Array<SqlUuid>, _>(ids);
    let more: Vec<More> = more.load(conn).await?;
    let mut more: HashMap<Uuid, More> = more.into_iter().map(|more| (more.id, more)).collect();
    let listed = found.into_iter().filter_map(|user| {
        let more = more.remove(&user.id)?;
        let listed = Listed {
            password: more.password,
            totp: more.totp,
            passkeys: more.passkeys,
            identities: more.identities,
            sessions: more.sessions,
            last_seen_at: more.last_seen_at,
            user,
        };
        Some((listed.user.id, listed))
    });
    Ok(listed.collect())
}
