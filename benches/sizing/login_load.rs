//! Logins at a fixed rate: over HTTP, and the statement that starts a session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey::store::db::Db;
use latchkey::store::db::connection::Connector;
use tokio::task::JoinSet;
use tokio::time::interval;
use uuid::Uuid;

use crate::database::random;
use crate::support::PASSWORD;
use crate::wal;

/// A second. Hashing takes one of two cores a third of the time, so that there is room for a disturbance to show.
const REQUESTS: u32 = 25;
const STATEMENTS: u32 = 200;

/// Who logs in over HTTP: login1, login2 and so on.
pub const NAMES: usize = 1000;

pub struct Load {
    db: Db,
    http: reqwest::Client,
    login: String,
    /// Who logs in by statement.
    users: Vec<Uuid>,
}

/// Latencies of a window.
#[derive(Default)]
pub struct Window {
    pub http: Vec<Duration>,
    pub statement: Vec<Duration>,
}

impl Load {
    pub fn new(connector: Connector, address: &str, users: Vec<Uuid>) -> Arc<Self> {
        Arc::new(Self {
            db: Db::new(connector, 8),
            http: reqwest::Client::new(),
            login: format!("http://{address}/api/login"),
            users,
        })
    }

    async fn over_http(self: Arc<Self>, number: usize) -> Duration {
        let name = format!("login{}", 1 + number % NAMES);
        let form = serde_json::json!({"username": name, "password": PASSWORD});
        let began = Instant::now();
        let answer = self.http.post(&self.login).json(&form).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        began.elapsed()
    }

    async fn statement(self: Arc<Self>, number: usize) -> Duration {
        let user = self.users[number % self.users.len()];
        let began = Instant::now();
        let db = &self.db;
        db.run(async |conn| {
            wal::log_in(conn, user).await;
            Ok(())
        })
        .await
        .unwrap();
        began.elapsed()
    }

    /// Starts each login when its time has come, however long those before it take.
    pub async fn window(self: &Arc<Self>, time: Duration) -> Window {
        let (mut requests, mut statements) = (JoinSet::new(), JoinSet::new());
        let mut request = interval(Duration::from_secs(1) / REQUESTS);
        let mut statement = interval(Duration::from_secs(1) / STATEMENTS);
        let began = Instant::now();
        let any = || random().as_u128() as usize;
        while began.elapsed() < time {
            tokio::select! {
                _ = request.tick() => drop(requests.spawn(self.clone().over_http(any()))),
                _ = statement.tick() => drop(statements.spawn(self.clone().statement(any()))),
            }
        }
        Window {
            http: requests.join_all().await,
            statement: statements.join_all().await,
        }
    }
}
