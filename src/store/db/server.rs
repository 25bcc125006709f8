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

/// The value of one of PostgreSQL's settings on this connection.
pub async fn setting(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<String> {
    diesel::select(current_setting(name)).get_result(conn).await
}
