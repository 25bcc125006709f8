//! Roles: granting, revoking, and what they open.

use serde_json::json;

use crate::operator::latchkey;
use crate::support::{App, PASSWORD, Visitor, wait_until};

fn run(app: &App, arguments: &[&str]) -> (bool, String) {
    let done = latchkey(app, &[&["users"], arguments].concat(), "");
    let text = [done.stdout, done.stderr].concat();
    (
        done.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

async fn roles(visitor: &Visitor) -> serde_json::Value {
    visitor.get("/api/me").await.expect(200).body["roles"].clone()
}

/// J2.
#[tokio::test]
async fn a_role_is_felt_on_every_instance_at_once() {
    let app = App::start().await;
    let other = app.sibling(&[]).await;
    let susan = app.logged_in("susan").await;
    let elsewhere = susan.at(other.address);
    assert_eq!(roles(&susan).await, json!([]));
    assert_eq!(roles(&elsewhere).await, json!([]));
    for role in ["viewer:media/7", "editor"] {
        assert!(run(&app, &["grant", "susan", role]).0, "{role}");
    }
    let both = json!(["editor", "viewer:media/7"]);
    for visitor in [&susan, &elsewhere] {
        wait_until("the roles are there", async || roles(visitor).await == both).await;
    }
    let (good, again) = run(&app, &["grant", "susan", "editor"]);
    assert!(good && again.contains("already"), "{again}");
    assert!(run(&app, &["revoke", "susan", "editor"]).0);
    let one = json!(["viewer:media/7"]);
    wait_until("it is gone", async || roles(&elsewhere).await == one).await;
    // In psql too.
    app.sql("delete from user_roles").await;
    for visitor in [&susan, &elsewhere] {
        wait_until("all are gone", async || roles(visitor).await == json!([])).await;
    }
    let events = susan.get("/api/me/events").await.body;
    let last = &events["events"][0];
    assert_eq!(
        (&last["kind"], &last["details"]),
        (&json!("role_revoked"), &json!({"role": "editor"}))
    );
}

#[tokio::test]
async fn only_well_formed_roles_are_granted_and_fifty_at_most() {
    let app = App::start().await;
    app.registered("susan").await;
    for bad in ["user", "Editor", "editor:", "editor:../x", "admin:x", "a b"] {
        let (good, told) = run(&app, &["grant", "susan", bad]);
        assert!(!good && told.contains("role:"), "{bad}: {told}");
    }
    app.sql("insert into user_roles (user_id, role, area) select id, 'r', 'a' || n from users, generate_series(1, 49) n")
        .await;
    assert!(run(&app, &["grant", "susan", "editor"]).0);
    let (good, told) = run(&app, &["grant", "susan", "viewer"]);
    assert!(!good && told.contains("at most 50 roles"), "{told}");
    assert!(
        run(&app, &["grant", "susan", "editor"]).0,
        "nothing changes"
    );
    assert_eq!(app.count("select count(*) from user_roles").await, 50);
    app.sql("insert into user_roles (user_id, role) select id, 'surplus' from users")
        .await;
    assert!(run(&app, &["grant", "susan", "editor"]).0, "it is kept");
    assert_eq!(app.count("select count(*) from user_roles").await, 51);
}

/// J3.
#[tokio::test]
async fn nobody_grants_themselves_anything() {
    let app = App::start().await;
    let susan = app.visitor();
    let wish = |mut form: serde_json::Value| {
        form["roles"] = json!(["admin"]);
        form["factors"] = json!(2);
        form["actor_id"] = json!("00000000-0000-4000-8000-000000000000");
        form
    };
    let form =
        wish(json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD}));
    let user = susan.post("/api/register", form).await.expect(201);
    assert_eq!(user.body["roles"], json!([]));
    let form = wish(json!({"username": "susan", "password": PASSWORD}));
    let login = susan.post("/api/login", form).await.expect(200);
    assert_eq!(login.body["user"]["roles"], json!([]));
    susan
        .get("/api/verify?role=admin")
        .await
        .refused(403, "forbidden");
}
