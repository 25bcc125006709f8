//! Changes of sessions and users are announced to every instance, without holding up other transactions.

use std::time::Duration;

use latchkey::store::db::notifications::Listener;

use crate::support::{App, Database, settings, wait_until};

const PENDING: &str = "select count(*) from announcements";

/// Somebody else who listens.
struct Ear(Listener);

impl Ear {
    async fn of(app: &App) -> Self {
        Self(Listener::connect(&app.database.connector()).await.unwrap())
    }

    /// The messages until one starts like this, without heartbeats.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut heard = Vec::new();
        let hearing = async {
            loop {
                let message = self.0.next().await.unwrap();
                if !message.starts_with('h') {
                    heard.push(message.clone());
                }
                if message.starts_with(last) {
                    return;
                }
            }
        };
        let within = tokio::time::timeout(Duration::from_secs(30), hearing);
        within.await.expect("a message in time");
        heard
    }
}

#[tokio::test]
async fn a_login_announces_nothing_and_a_logout_announces_its_session() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    let mut ear = Ear::of(&app).await;
    for _ in 0..5 {
        susan.log_in("susan").await.expect(200);
        assert!(susan.is_logged_in().await);
        let key = "select 's' || encode(key_hash, 'hex') from sessions";
        let key = app.sql(key).await[0][0].clone().unwrap();
        susan.log_out().await.expect(204);
        assert_eq!(ear.until("s").await, [key]);
    }
}

#[tokio::test]
async fn other_changes_of_users_and_sessions_are_announced() {
    let app = App::start().await;
    app.logged_in("susan").await;
    let mut ear = Ear::of(&app).await;
    for (sql, kind) in [
        ("update users set email = 'new@example.com'", "u"),
        ("update users set disabled_at = now()", "s"),
        ("delete from users", "u"),
        ("truncate sessions", "*"),
    ] {
        app.sql(sql).await;
        let heard = ear.until(kind).await;
        assert!(heard.len() <= 2, "{sql}: {heard:?}");
    }
}

#[tokio::test]
async fn many_changes_are_announced_and_the_table_stays_empty() {
    let app = App::start().await;
    app.registered("susan").await;
    let add = |count: u32| {
        format!(
            "insert into sessions (user_id, key_hash, remembered, expires_at) \
             select id, sha256((random()::text || n)::bytea), false, now() + interval '1 day' \
             from users, generate_series(1, {count}) n"
        )
    };
    let mut ear = Ear::of(&app).await;
    // One by one, so that each is announced by name.
    app.sql(&add(2500)).await;
    app.sql("do $$ declare one uuid; begin for one in select id from sessions loop delete from sessions where id = one; end loop; end $$")
        .await;
    let mut named = 0;
    while named < 2500 {
        named += ear.until("s").await.len();
    }
    wait_until("nothing is pending", async || app.count(PENDING).await == 0).await;
    // Too many to name.
    app.sql(&add(1001)).await;
    app.sql("delete from sessions").await;
    assert_eq!(ear.until("*").await, ["*"]);
    wait_until("nothing is pending", async || app.count(PENDING).await == 0).await;
}

#[tokio::test]
async fn what_an_instance_left_behind_is_announced_by_the_next() {
    let database = Database::create().await;
    database.sql("insert into announcements values ('*')").await;
    let connector = database.connector();
    let app = App::through(database, connector, settings(&[]));
    wait_until("it is announced", async || app.count(PENDING).await == 0).await;
}

#[tokio::test]
async fn a_change_that_is_rolled_back_is_not_announced() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let mut ear = Ear::of(&app).await;
    app.sql("begin; delete from sessions; rollback").await;
    app.sql("truncate rate_limits; update users set email = 'new@example.com'")
        .await;
    assert_eq!(ear.until("u").await.len(), 1);
    assert!(susan.is_logged_in().await);
}

#[tokio::test]
async fn roles_that_may_only_delete_sessions_can_do_so() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    assert!(susan.is_logged_in().await);
    let role = format!("clerk_of_{}", app.database.name());
    app.sql(&format!(
        "create role {role}; grant select, delete on sessions to {role}; set role {role}; delete from sessions"
    ))
    .await;
    wait_until("the session is dead", async || !susan.is_logged_in().await).await;
    app.sql(&format!("drop owned by {role}; drop role {role}"))
        .await;
}
