//! Finds users in an order that an index has.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::filter::{Filter, Place, State};
use crate::store::roles;

#[derive(QueryableByName)]
pub struct Found {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub key: String,
}

/// A condition with its order, which have an index, and by what the next page begins.
pub struct Way {
    after: &'static str,
    order: &'static str,
    key: &'static str,
}

pub const BY_REGISTRATION: Way = Way {
    after: "(created_at, id) > ($1, $2)",
    order: "created_at, id",
    key: "''",
};
pub const BY_USERNAME: Way = Way {
    after: "lower(username) collate \"C\" like lower($3) and lower(username) collate \"C\" > $4",
    order: "lower(username) collate \"C\"",
    key: "lower(username)",
};
pub const BY_EMAIL: Way = Way {
    after: "lower(email) collate \"C\" like lower($3) and lower(email) collate \"C\" > $4 \
            and lower(username) collate \"C\" not like lower($3)",
    order: "lower(email) collate \"C\"",
    key: "lower(email)",
};

/// Up to so many users are read one by one. Among more, a page is usually soon full.
const FEW: i64 = 3_000;

/// Among whom to search.
#[derive(Clone, Copy)]
enum Among {
    Everybody,
    /// Those who have the role. PostgreSQL would look for them among all others if it thought that to be faster, and be
    /// wrong by a second where the role goes with other names; hence `offset 0`.
    Few,
    Many,
}

impl Among {
    fn table(self) -> &'static str {
        match self {
            Self::Everybody | Self::Many => "users",
            Self::Few => {
                "(select users.* from user_roles join users on users.id = user_id \
                 where role = $5 and area = $6 offset 0) as users"
            }
        }
    }

    fn condition(self) -> &'static str {
        match self {
            Self::Everybody | Self::Few => "",
            Self::Many => {
                " and id in (select user_id from user_roles where role = $5 and area = $6)"
            }
        }
    }
}

pub struct Search<'a> {
    filter: &'a Filter,
    among: Among,
}

impl<'a> Search<'a> {
    pub async fn begin(conn: &mut AsyncPgConnection, filter: &'a Filter) -> QueryResult<Self> {
        let among = match &filter.role {
            None => Among::Everybody,
            Some(role) if roles::have(conn, role, FEW + 1).await? > FEW => Among::Many,
            Some(_) => Among::Few,
        };
        Ok(Self { filter, among })
    }

    pub async fn run(
        &self,
        conn: &mut AsyncPgConnection,
        way: Way,
        place: Option<&Place>,
        limit: usize,
    ) -> QueryResult<Vec<Found>> {
        let (after, id, key) = match place {
            Some(Place::Registered(moment)) => (moment.at, moment.id, ""),
            Some(Place::Username(key) | Place::Email(key)) => {
                (DateTime::UNIX_EPOCH, Uuid::nil(), key.as_str())
            }
            None => (DateTime::UNIX_EPOCH, Uuid::nil(), ""),
        };
        let role = self.filter.role.as_ref();
        let (name, area) = role.map_or(("", ""), |role| (role.name(), role.area()));
        let prefix = self.filter.prefix.as_deref().unwrap_or_default();
        diesel::sql_query(self.text(&way))
            .bind::<Timestamptz, _>(after)
            .bind::<SqlUuid, _>(id)
            .bind::<Text, _>(pattern(prefix))
            .bind::<Text, _>(key)
            .bind::<Text, _>(name)
            .bind::<Text, _>(area)
            .bind::<BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
            .load(conn)
            .await
    }

    fn text(&self, way: &Way) -> String {
        let Way { after, order, key } = way;
        let (table, role) = (self.among.table(), self.among.condition());
        let state = match self.filter.state {
            Some(State::Active) => " and disabled_at is null",
            Some(State::Disabled) => " and disabled_at is not null",
            Some(State::Unverified) => " and email_verified_at is null",
            None => "",
        };
        format!(
            "select id, created_at, {key} as key from {table} where {after}{role}{state} order by {order} limit $7"
        )
    }
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
