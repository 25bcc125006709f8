//! Migrates the database to the schema that this binary expects.

use std::time::{Duration, Instant};

use anyhow::bail;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::{ConnectionError, QueryResult};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::Connector;
use super::pooling::refuse_transaction_mode;
use super::server;

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// "latchkey" in ASCII. Instances that start together take turns on this advisory lock.
const LOCK: i64 = 0x6c61_7463_686b_6579;

/// Rewriting a large table takes its time.
const TURN_TIMEOUT: Duration = Duration::from_secs(600);
const TRY_EVERY: Duration = Duration::from_millis(100);

diesel::define_sql_function! {
    fn pg_try_advisory_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}

diesel::define_sql_function! {
    fn pg_advisory_unlock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}

/// Runs the pending migrations and returns their names.
///
/// Blocks: diesel's harness needs a multi-threaded runtime on a thread that has none yet.
pub fn run(connector: &Connector) -> anyhow::Result<Vec<String>> {
    on_harness(connector, |harness| {
        let ran = harness.run_pending_migrations(MIGRATIONS)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    })
}

/// Does the same for the tables of a program that embeds Latchkey.
pub fn run_own(connector: &Connector, own: EmbeddedMigrations) -> anyhow::Result<Vec<String>> {
    on_harness(connector, |harness| {
        // diesel keeps both in one list, and would skip a version that stands there already.
        let (ours, theirs) = (versions(&MIGRATIONS)?, versions(&own)?);
        if let Some(twice) = theirs.iter().find(|version| ours.contains(version)) {
            return Err(format!("Latchkey has a migration {twice} too; rename yours").into());
        }
        let ran = harness.run_pending_migrations(own)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    })
}

fn versions(source: &EmbeddedMigrations) -> diesel::migration::Result<Vec<String>> {
    let all = MigrationSource::<Pg>::migrations(source)?;
    Ok(all
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect())
}

/// Reverts every migration, newest first.
pub fn revert_all(connector: &Connector) -> anyhow::Result<()> {
    on_harness(connector, |harness| {
        harness.revert_all_migrations(MIGRATIONS).map(|_| ())
    })
}

fn on_harness<T: Send>(
    connector: &Connector,
    work: impl FnOnce(&mut AsyncMigrationHarness<AsyncPgConnection>) -> diesel::migration::Result<T>
    + Send,
) -> anyhow::Result<T> {
    let body = || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let checked = refuse_transaction_mode(connector).await;
            checked.map_err(|error| match error.is::<ConnectionError>() {
                true => error.context(format!("no connection to {}", connector.shown())),
                false => error,
            })?;
            let mut conn = connector.connect_without_limits().await?;
            check_encoding(&mut conn).await?;
            wait_for_turn(&mut conn).await?;
            let mut harness = AsyncMigrationHarness::new(conn);
            let result = work(&mut harness).map_err(|e| anyhow::anyhow!("migrations: {e}"));
            let mut conn = harness.into_inner();
            diesel::select(pg_advisory_unlock(LOCK))
                .execute(&mut conn)
                .await?;
            result
        })
    };
    std::thread::scope(|scope| scope.spawn(body).join())
        .unwrap_or_else(|_| Err(anyhow::anyhow!("the migration thread panicked")))
}

/// Other encodings cannot store every e-mail address and User-Agent.
async fn check_encoding(conn: &mut AsyncPgConnection) -> anyhow::Result<()> {
    let encoding = server::setting(conn, "server_encoding").await?;
    anyhow::ensure!(
        encoding == "UTF8",
        "DATABASE_URL: the database stores text as {encoding}, but Latchkey needs UTF8. Create one with: \
         create database latchkey encoding 'UTF8' template template0"
    );
    Ok(())
}

/// Takes the lock, which another instance may hold while it migrates.
async fn wait_for_turn(conn: &mut AsyncPgConnection) -> anyhow::Result<()> {
    let began = Instant::now();
    if try_lock(conn).await? {
        return Ok(());
    }
    tracing::info!("another instance is migrating the database; waiting for it");
    while !try_lock(conn).await? {
        if began.elapsed() > TURN_TIMEOUT {
            let minutes = TURN_TIMEOUT.as_secs() / 60;
            bail!(
                "another session has held the lock for migrations for {minutes} minutes. If no instance is migrating, a \
                 connection pooler kept it: end that session (pg_locks, locktype advisory), and let DATABASE_URL point \
                 to PostgreSQL itself or use session mode"
            );
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
    Ok(())
}

async fn try_lock(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    diesel::select(pg_try_advisory_lock(LOCK))
        .get_result(conn)
        .await
}
