//! Two ways to query the database: a pool for writes, and one pipelined connection for single fast reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::managed::QueueMode;
use diesel::result::DatabaseErrorKind;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, TransactionManager};
use tokio::sync::Mutex;
use tokio::time::timeout;

use self::connection::{Connector, STATEMENT_TIMEOUT};
use self::error::{DbError, is_read_only};

pub mod bad_url;
pub mod connection;
pub mod error;
mod hosts;
pub mod migrations;
pub mod notifications;
mod pooling;
pub mod server;
mod sslmode;
mod tls;
pub mod url;

/// What the store's functions take and return, for rules that call several of them in one transaction.
pub type Connection = AsyncPgConnection;
pub use diesel::QueryResult;
pub use diesel::result::Error as QueryError;

/// Pooled connections that have been idle for longer are closed.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// How long a request waits for a connection, pooled or new.
const POOL_WAIT: Duration = Duration::from_millis(900);

/// The database. Cheap to clone. Each HTTP worker gets its own with [`Db::for_worker`].
#[derive(Clone)]
pub struct Db {
    connector: Connector,
    pool: Pool<AsyncPgConnection>,
    reader: Arc<Mutex<Option<Reader>>>,
    /// Counts how often all connections were dropped. Shared by all workers.
    era: Arc<AtomicU64>,
}

/// A connection for reading, and the era in which it was opened.
type Reader = (u64, Arc<AsyncPgConnection>);

impl Db {
    /// Opens nothing yet. Queries open connections when they need them.
    pub fn new(connector: Connector, pool_size: usize) -> Self {
        let opener = connector.clone();
        let mut config = ManagerConfig::default();
        // `Verified` would run `select 1` at each checkout. Broken connections are dropped without it.
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let opener = opener.clone();
            Box::pin(async move { opener.connect().await })
        });
        let manager = AsyncDieselConnectionManager::new_with_config("", config);
        let pool = Pool::builder(manager)
            .max_size(pool_size)
            // The most recently used first, so that the others become idle and are closed.
            .queue_mode(QueueMode::Lifo);
        #[expect(
            clippy::expect_used,
            reason = "fails only if a timeout is set without a runtime, and none is set"
        )]
        let pool = pool.build().expect("a pool without timeouts");
        Self {
            connector,
            pool,
            reader: Arc::default(),
            era: Arc::default(),
        }
    }

    /// The same pool with a read connection of its own. Its driver runs on the worker that uses it, so a read wakes no
    /// other thread.
    pub fn for_worker(&self) -> Self {
        Self {
            reader: Arc::default(),
            ..self.clone()
        }
    }

    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Runs one read statement on the pipelined connection, which handles many at once.
    pub async fn read<T>(
        &self,
        query: impl AsyncFnOnce(&mut &AsyncPgConnection) -> QueryResult<T>,
    ) -> Result<T, DbError> {
        let conn = self.reader().await?;
        match timeout(STATEMENT_TIMEOUT, query(&mut &*conn)).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => {
                let error = DbError::from(error);
                if matches!(error, DbError::Unavailable(_)) {
                    self.drop_reader(&conn).await;
                }
                Err(error)
            }
            Err(_) => {
                self.drop_reader(&conn).await;
                Err(DbError::Unavailable(
                    "the database did not answer in time".to_owned(),
                ))
            }
        }
    }

    async fn reader(&self) -> Result<Arc<AsyncPgConnection>, DbError> {
        let opened = async {
            let mut slot = self.reader.lock().await;
            let era = self.era.load(Ordering::Relaxed);
            if let Some((_, conn)) = slot.as_ref().filter(|(made, _)| *made == era) {
                return Ok(conn.clone());
            }
            let conn = Arc::new(self.connector.connect().await?);
            *slot = Some((era, conn.clone()));
            Ok(conn)
        };
        timeout(POOL_WAIT, opened)
            .await
            .unwrap_or_else(|_| Err(no_connection("could not open one in time")))
    }

    /// Drops a dead connection, unless it has already been replaced.
    async fn drop_reader(&self, dead: &Arc<AsyncPgConnection>) {
        let mut slot = self.reader.lock().await;
        if slot
            .as_ref()
            .is_some_and(|(_, conn)| Arc::ptr_eq(conn, dead))
        {
            *slot = None;
        }
    }

    /// Runs statements on a pooled connection, each in its own implicit transaction.
    pub async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> QueryResult<T>,
    ) -> Result<T, DbError> {
        let mut conn = self.checkout().await?;
        match timeout(STATEMENT_TIMEOUT, work(&mut conn)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => {
                if is_read_only(&error) {
                    drop(Object::take(conn));
                    self.drop_all_connections();
                }
                Err(error.into())
            }
            Err(_) => {
                // The server may still be busy with the statement. Nobody else should wait behind it.
                drop(Object::take(conn));
                Err(DbError::Unavailable(
                    "the database did not answer in time".to_owned(),
                ))
            }
        }
    }

    /// Like [`Db::run`], in one transaction: all or nothing. `work` must return its errors. If it swallowed one, diesel
    /// would report the rolled-back transaction as committed.
    pub async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> QueryResult<T>,
    ) -> Result<T, DbError> {
        type Manager = <AsyncPgConnection as AsyncConnection>::TransactionManager;
        self.run(async |conn| {
            Manager::begin_transaction(conn).await?;
            match work(conn).await {
                Ok(value) => {
                    Manager::commit_transaction(conn).await?;
                    Ok(value)
                }
                Err(error) => {
                    Manager::rollback_transaction(conn).await?;
                    Err(error)
                }
            }
        })
        .await
    }

    /// The pooled connections in use, and how many wait for one.
    pub fn pool_use(&self) -> (usize, usize) {
        let status = self.pool.status();
        let in_use = status.size.saturating_sub(status.available);
        (in_use, status.waiting)
    }

    /// Closes pooled connections that are idle, because other instances may need them.
    pub fn close_idle(&self) {
        self.pool
            .retain(|_, metrics| metrics.last_used() < IDLE_MAX);
    }

    /// Drops all connections, including the readers. For when the server behind them is no longer the primary, or the
    /// worker that opened them has ended.
    pub fn drop_all_connections(&self) {
        self.pool.retain(|_, _| false);
        self.era.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the database accepts writes now. A connection to a standby or a former primary fails and is dropped, so
    /// the next call tries another one.
    pub async fn can_write(&self) -> Result<(), DbError> {
        let asked = self.run(async |conn| {
            if server::setting(conn, "transaction_read_only").await? == "off" {
                return Ok(());
            }
            let why = "it accepts no writes: it is a standby".to_owned();
            let kind = DatabaseErrorKind::ReadOnlyTransaction;
            Err(QueryError::DatabaseError(kind, Box::new(why)))
        });
        asked.await
    }

    async fn checkout(&self) -> Result<Object<AsyncPgConnection>, DbError> {
        match timeout(POOL_WAIT, self.pool.get()).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(error)) => Err(DbError::Unavailable(error.to_string())),
            Err(_) => Err(no_connection("all connections are in use")),
        }
    }
}

fn no_connection(why: &str) -> DbError {
    DbError::Unavailable(format!("no database connection: {why}"))
}
