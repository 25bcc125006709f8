//! The two statements of a login. The first finds everything needed before the password is checked; the second records
//! the login and starts the session, or does neither.
//!
//! Each is one round trip and one transaction. They are custom queries because `sql_query` would have them parsed and
//! planned at every login.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::{AsSelect, SqlTypeOf};
use diesel::pg::Pg;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Cidr, Inet, Integer, Interval, Nullable, SmallInt, Text,
    Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use super::clock::interval;
use super::events::NewEvent;
use super::roles;
use super::sessions::Session;
use super::users::{Account, User};
use crate::domain::email::Email;
use crate::domain::secret::KeyHash;
use crate::domain::username::Username;

/// What a person logs in with.
#[derive(Clone, Copy)]
pub enum Name<'a> {
    Username(&'a Username),
    Email(&'a Email),
}

/// The account behind a name, with what matters before the password is checked.
pub struct Found {
    /// The name as the database compares it, whether or not it exists.
    pub name: String,
    pub now: DateTime<Utc>,
    /// Whether the user logged in from this network within 90 days.
    pub network_known: bool,
    pub account: Option<Account>,
}

/// The columns of a [`User`], spelled out because the join may find none.
type UserColumns = (
    SqlUuid,
    Text,
    Nullable<Text>,
    Nullable<Timestamptz>,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Bool,
    Array<Text>,
);

struct Find<'a> {
    name: Name<'a>,
    network: IpNet,
}

pub async fn find(
    conn: &mut AsyncPgConnection,
    name: Name<'_>,
    network: IpNet,
) -> QueryResult<Found> {
    let (name, now, network_known, account) = Find { name, network }.get_result(conn).await?;
    Ok(Found {
        name,
        now,
        network_known,
        account,
    })
}

/// A session to start, for a user whose password is still that of `password_epoch`.
pub struct NewSession<'a> {
    pub user_id: Uuid,
    pub password_epoch: i32,
    pub key_hash: &'a KeyHash,
    /// With what they proved who they are, and how many factors that is.
    pub methods: &'a [&'static str],
    pub factors: i16,
    /// Whether that lets in somebody whose second factor is on.
    pub is_enough: bool,
    pub remembered: bool,
    /// The network that counts as known from now on.
    pub network: IpNet,
    /// The language that the browser prefers; the user's own stays.
    pub locale: Option<&'a str>,
    /// The longest time that the session may last.
    pub lifetime: Duration,
    /// The event that records the login.
    pub event: &'a NewEvent,
}

struct Start<'a> {
    new: NewSession<'a>,
    lifetime: PgInterval,
}

/// The result of a login.
pub struct Started {
    pub session: Session,
    pub user: User,
    /// How many sessions the user had before this one.
    pub sessions_before: i64,
}

/// `None` if the user was disabled, got another password or turned the second factor on after the check. The row lock
/// makes such a change wait for us, or us for it.
pub async fn start(
    conn: &mut AsyncPgConnection,
    new: NewSession<'_>,
) -> QueryResult<Option<Started>> {
    let lifetime = interval(new.lifetime);
    let statement = Start { new, lifetime };
    let started = statement.get_result(conn).await.optional()?;
    let named = |(session, user, sessions_before)| Started {
        session,
        user,
        sessions_before,
    };
    Ok(started.map(named))
}

impl QueryId for Find<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Find<'_> {
    type SqlType = (
        Text,
        Timestamptz,
        Bool,
        Nullable<(UserColumns, Nullable<Text>, Integer)>,
    );
}

impl QueryFragment<Pg> for Find<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (column, text) = match &self.name {
            Name::Username(username) => ("username", username.as_str()),
            Name::Email(email) => ("email", email.as_str()),
        };
        out.push_sql("select asked.name, now(), exists (select from known_networks where user_id = users.id and network = ");
        out.push_bind_param::<Cidr, _>(&self.network)?;
        out.push_sql(
            " and seen_at > now() - interval '90 days'), id, username, email, email_verified_at, created_at, \
             last_login_at, disabled_at, second_factor_required, case when id is not null then ",
        );
        out.push_sql(roles::OF_USER);
        out.push_sql(" end, password_hash, password_epoch from (select lower(");
        out.push_bind_param::<Text, _>(text)?;
        out.push_sql(") as name) as asked left join users on lower(users.");
        out.push_sql(column);
        out.push_sql(") = asked.name");
        Ok(())
    }
}

impl QueryId for Start<'_> {
    type QueryId = Start<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Start<'_> {
    type SqlType = (
        SqlTypeOf<AsSelect<Session, Pg>>,
        SqlTypeOf<AsSelect<User, Pg>>,
        BigInt,
    );
}

impl Start<'_> {
    fn push_session<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (new, event) = (&self.new, self.new.event);
        out.push_sql(
            "started as (insert into sessions (user_id, key_hash, methods, factors, remembered, ip, user_agent, expires_at) select id, ",
        );
        out.push_bind_param::<Binary, _>(new.key_hash.as_bytes())?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&new.methods)?;
        out.push_sql(", ");
        out.push_bind_param::<SmallInt, _>(&new.factors)?;
        out.push_sql(", ");
        out.push_bind_param::<Bool, _>(&new.remembered)?;
        out.push_sql(", ");
        out.push_bind_param::<Inet, _>(&event.ip)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&event.user_agent)?;
        out.push_sql(", now() + ");
        out.push_bind_param::<Interval, _>(&self.lifetime)?;
        Ok(())
    }
}

impl QueryFragment<Pg> for Start<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (new, event) = (&self.new, self.new.event);
        out.push_sql(
            "with login as (update users set last_login_at = now(), locale = coalesce(locale, ",
        );
        out.push_bind_param::<Nullable<Text>, _>(&new.locale)?;
        out.push_sql(") where id = ");
        out.push_bind_param::<SqlUuid, _>(&new.user_id)?;
        out.push_sql(" and disabled_at is null and password_epoch = ");
        out.push_bind_param::<Integer, _>(&new.password_epoch)?;
        out.push_sql(" and (not second_factor_required or ");
        out.push_bind_param::<Bool, _>(&new.is_enough)?;
        out.push_sql(")");
        out.push_sql(
            " returning id, username, email, email_verified_at, created_at, last_login_at, disabled_at, \
             second_factor_required, ",
        );
        out.push_sql(roles::OF_USER);
        out.push_sql("), ");
        self.push_session(&mut out)?;
        out.push_sql(
            " from login returning id, user_id, remembered, created_at, authenticated_at, last_seen_at, \
             expires_at, methods, factors), \
             noted as (insert into security_events (id, kind, user_id, ip, user_agent, request_id) select ",
        );
        out.push_bind_param::<SqlUuid, _>(&event.id)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(event.kind)?;
        out.push_sql(", id, ");
        out.push_bind_param::<Inet, _>(&event.ip)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&event.user_agent)?;
        out.push_sql(", ");
        out.push_bind_param::<SqlUuid, _>(&event.request_id)?;
        out.push_sql(
            " from login), known as (insert into known_networks as known (user_id, network) select id, ",
        );
        out.push_bind_param::<Cidr, _>(&new.network)?;
        out.push_sql(
            " from login on conflict (user_id, network) do update set seen_at = now() \
             where known.seen_at < now() - interval '1 day') \
             select started.*, login.*, (select count(*) from sessions where user_id = login.id) from started, login",
        );
        Ok(())
    }
}
