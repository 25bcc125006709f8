//! The one statement that makes a login: it notes the login and starts the session, or does neither.

use std::time::Duration;

use diesel::dsl::{AsSelect, SqlTypeOf};
use diesel::pg::Pg;
use diesel::pg::data_types::PgInterval;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Bool, Inet, Interval, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use super::sessions::Session;
use super::users::User;

/// A session to be, for a user whose password was just checked against `verified_hash`.
///
/// One statement is one round trip and one transaction. Written as a query of its own rather than as `sql_query`,
/// which would have it parsed and planned at each login.
pub struct Login<'a> {
    pub user_id: Uuid,
    pub verified_hash: &'a str,
    pub key_hash: &'a [u8],
    pub remembered: bool,
    pub ip: IpNet,
    pub user_agent: Option<&'a str>,
    /// The session ends after this at the latest.
    pub lifetime: Duration,
}

struct Statement<'a> {
    login: Login<'a>,
    lifetime: PgInterval,
}

/// What a login gives: the session, the user, and how many sessions the user had before.
pub type Started = (Session, User, i64);

/// Nothing if the user was disabled or got another password since it was checked: the row's lock makes a change wait
/// for us, or us for the change.
pub async fn start(conn: &mut AsyncPgConnection, login: Login<'_>) -> QueryResult<Option<Started>> {
    let lifetime = i64::try_from(login.lifetime.as_micros()).unwrap_or(i64::MAX);
    let statement = Statement {
        login,
        lifetime: PgInterval::from_microseconds(lifetime),
    };
    statement.get_result(conn).await.optional()
}

impl QueryId for Statement<'_> {
    type QueryId = Statement<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Statement<'_> {
    type SqlType = (
        SqlTypeOf<AsSelect<Session, Pg>>,
        SqlTypeOf<AsSelect<User, Pg>>,
        BigInt,
    );
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let login = &self.login;
        out.push_sql("with login as (update users set last_login_at = now() where id = ");
        out.push_bind_param::<diesel::sql_types::Uuid, _>(&login.user_id)?;
        out.push_sql(" and disabled_at is null and password_hash = ");
        out.push_bind_param::<Text, _>(login.verified_hash)?;
        out.push_sql(
            " returning id, username, email, email_verified_at, created_at, last_login_at, disabled_at), started as (\
             insert into sessions (user_id, key_hash, remembered, ip, user_agent, expires_at) select id, ",
        );
        out.push_bind_param::<Binary, _>(login.key_hash)?;
        out.push_sql(", ");
        out.push_bind_param::<Bool, _>(&login.remembered)?;
        out.push_sql(", ");
        out.push_bind_param::<Inet, _>(&login.ip)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(&login.user_agent)?;
        out.push_sql(", now() + ");
        out.push_bind_param::<Interval, _>(&self.lifetime)?;
        out.push_sql(
            " from login returning id, user_id, remembered, created_at, authenticated_at, last_seen_at, expires_at) \
             select started.*, login.*, (select count(*) from sessions where user_id = login.id) from started, login",
        );
        Ok(())
    }
}
