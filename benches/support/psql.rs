//! A connection that bypasses Latchkey.

use std::path::Path;

/// Connects to a local PostgreSQL, as psql does.
pub async fn connect(sockets: &Path) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config
        .host_path(sockets)
        .user("latchkey")
        .dbname("postgres");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
