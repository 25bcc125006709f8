//! What the server says about itself.

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

diesel::define_sql_function! {
    fn current_setting(name: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

diesel::define_sql_function! {
    /// Whether the server is a standby, which may lag behind.
    fn pg_is_in_recovery() -> diesel::sql_types::Bool;
}

/// How many connections the server allows, without those that it reserves for superusers.
pub async fn connections_allowed(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    let number = |text: String| text.parse().unwrap_or(0);
    let all: i64 = number(setting(conn, "max_connections").await?);
    let reserved = number(setting(conn, "superuser_reserved_connections").await?);
    Ok(all - reserved)
}

/// The value of one of PostgreSQL's settings on this connection.
pub async fn setting(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<String> {
    diesel::select(current_setting(name)).get_result(conn).await
}
