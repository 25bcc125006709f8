//! What administrators change, and that one of them always stays.

use serde_json::{Value, json};

use crate::admin::{administrator, id_of, put_roles};
use crate::limits::ON;
use crate::recovery::with_mail;
use crate::support::smtp::Smtp;
use crate::support::{App, Reply, Visitor, at_once};

/// An administrator, and Susan with the path of her account.
async fn boss_and_susan(app: &App, smtp: &Smtp) -> (Visitor, Visitor, String) {
    let admin = administrator(app, "boss").await;
    let susan = app.logged_in("susan").await;
    smtp.wait_for(2).await;
    let path = format!("/api/admin/users/{}", id_of(&susan).await);
    (admin, susan, path)
}

async fn act(admin: &Visitor, path: &str) -> Reply {
    admin.post(path, json!({})).await
}

/// J6.
#[tokio::test]
async fn what_administrators_do_takes_effect_and_is_seen_by_both() {
    let (app, smtp) = with_mail(&[]).await;
    let (admin, susan, user) = boss_and_susan(&app, &smtp).await;
    let (boss, id) = (id_of(&admin).await, id_of(&susan).await);
    put_roles(&admin, &id, json!(["editor"])).await.expect(200);
    act(&admin, &format!("{user}/password-reset"))
        .await
        .expect(202);
    smtp.wait_for(3).await;
    let ended = admin.delete(&format!("{user}/sessions")).await.expect(200);
    assert_eq!(ended.body["revoked"], 1);
    assert!(!susan.is_logged_in().await);
    susan.log_in("susan").await.expect(200);
    act(&admin, &format!("{user}/disable")).await.expect(204);
    assert!(!susan.is_logged_in().await);
    susan.log_in("susan").await.refused(403, "account_disabled");
    act(&admin, &format!("{user}/enable")).await.expect(204);
    susan.log_in("susan").await.expect(200);

    let did = [
        "enabled",
        "disabled",
        "sessions_revoked",
        "password_reset_sent",
        "roles_set",
    ];
    let kinds = |body: &Value| -> Vec<String> {
        let events = body["events"].as_array().unwrap().iter();
        let by_boss = events.filter(|event| event["actor_id"] == boss.as_str());
        by_boss
            .map(|event| event["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    let own = susan.get("/api/me/events").await.expect(200).body;
    assert_eq!(kinds(&own), did);
    let path = format!("/api/admin/events?actor={boss}&user={id}");
    let all = admin.get(&path).await.expect(200).body;
    assert_eq!(kinds(&all), did);
    for bad in ["kind=dis%00abled", "kind=nothing", "user=1", "cursor=x"] {
        let path = format!("/api/admin/events?{bad}");
        admin.get(&path).await.refused(422, "validation_failed");
    }
    let one = admin
        .get("/api/admin/events?kind=roles_set")
        .await
        .expect(200)
        .body;
    assert_eq!(one["events"][0]["details"], json!({"roles": ["editor"]}));
}

/// J5.
#[tokio::test]
async fn no_answer_to_an_administrator_holds_a_secret() {
    let (app, smtp) = with_mail(&[]).await;
    let (admin, _susan, user) = boss_and_susan(&app, &smtp).await;
    let mut answers = String::new();
    let reset = act(&admin, &format!("{user}/password-reset")).await;
    answers += &reset.expect(202).body.to_string();
    let token = smtp.wait_for(3).await[2].token();
    let invited = json!({"username": "ada", "email": "ada@example.com"});
    let invited = admin.post("/api/admin/users", invited).await;
    answers += &invited.expect(201).body.to_string();
    let invitation = smtp.wait_for(4).await[3].token();
    let id = user.rsplit('/').next().unwrap();
    let changed = put_roles(&admin, id, json!(["editor"])).await;
    answers += &changed.expect(200).body.to_string();
    for path in [
        "/api/admin/users",
        &user,
        &format!("{user}/sessions"),
        "/api/admin/roles",
        "/api/admin/events",
    ] {
        answers += &admin.get(path).await.expect(200).body.to_string();
    }
    let secrets = "select password_hash from users union select encode(key_hash, 'hex') from sessions \
                   union select encode(token_hash, 'hex') from tokens";
    let secrets = app.sql(secrets).await;
    assert!(secrets.len() >= 5);
    for secret in secrets
        .iter()
        .filter_map(|row| row[0].as_deref())
        .chain([&*token, &*invitation])
    {
        assert!(!answers.contains(secret));
    }
}

/// J4.
#[tokio::test]
async fn nobody_removes_the_last_administrator_or_their_own_role() {
    let app = App::start().await;
    let admin = administrator(&app, "boss").await;
    let id = id_of(&admin).await;
    let disable = format!("/api/admin/users/{id}/disable");
    let delete = format!("/api/admin/users/{id}?username=boss");
    let refused = async |code: &str| {
        act(&admin, &disable).await.refused(409, code);
        put_roles(&admin, &id, json!([])).await.refused(409, code);
        admin.delete(&delete).await.refused(409, code);
    };
    refused("last_admin").await;
    admin
        .delete("/api/me?username=boss")
        .await
        .refused(409, "last_admin");
    administrator(&app, "other").await;
    refused("own_account").await;
    put_roles(&admin, &id, json!(["admin", "editor"]))
        .await
        .expect(200);
    // One who cannot log in does not count.
    app.sql("update users set disabled_at = now() where username = 'other'")
        .await;
    admin
        .delete("/api/me?username=boss")
        .await
        .refused(409, "last_admin");
}

/// J4.
#[tokio::test]
async fn of_two_administrators_who_remove_each_other_one_stays() {
    let app = App::with(&["--db-pool=8"]).await;
    for round in 0..20 {
        let pair = [format!("a{round}x"), format!("b{round}x")];
        let one = administrator(&app, &pair[0]).await;
        let two = administrator(&app, &pair[1]).await;
        let [first, second] = &pair;
        let others = format!("select id from users where username not in ('{first}', '{second}')");
        app.sql(&format!(
            "delete from user_roles where user_id in ({others})"
        ))
        .await;
        let ids = [id_of(&one).await, id_of(&two).await];
        let both = [(&one, &ids[1], second), (&two, &ids[0], first)];
        let done = at_once(2, async |n| {
            let (admin, id, name) = both[n];
            let path = format!("/api/admin/users/{id}");
            match round % 3 {
                0 => put_roles(admin, id, json!([])).await,
                1 => act(admin, &format!("{path}/disable")).await,
                _ => admin.delete(&format!("{path}?username={name}")).await,
            }
        })
        .await;
        let good = done
            .replies
            .iter()
            .filter(|reply| reply.status.is_success());
        assert_eq!(good.count(), 1, "{:?}", done.replies);
        let left = "select count(*) from user_roles join users on id = user_id \
                    where role = 'admin' and disabled_at is null";
        assert_eq!(app.count(left).await, 1);
    }
}

#[tokio::test]
async fn a_deletion_and_its_administrator_stay_in_the_log() {
    let app = App::start().await;
    let (chief, boss) = (
        administrator(&app, "chief").await,
        administrator(&app, "boss").await,
    );
    let susan = app.logged_in("susan").await;
    let (boss_id, susan_id) = (id_of(&boss).await, id_of(&susan).await);
    let path = |id: &str| format!("/api/admin/users/{id}");
    let disable = format!("{}/disable", path(&susan_id));
    act(&boss, &disable).await.expect(204);
    for (admin, id, name) in [(&boss, &susan_id, "susan"), (&chief, &boss_id, "boss")] {
        let delete = format!("{}?username={name}", path(id));
        admin.delete(&delete).await.expect(204);
    }
    let all = chief.get("/api/admin/events").await.expect(200).body;
    let by = |query: String, kinds: &[&str]| {
        let chief = &chief;
        let kinds: Vec<Value> = kinds.iter().map(|kind| json!(kind)).collect();
        async move {
            let found = chief.get(&format!("/api/admin/events?{query}")).await;
            let found = found.expect(200).body;
            let found = found["events"].as_array().unwrap().clone();
            let seen: Vec<_> = found.iter().map(|event| event["kind"].clone()).collect();
            assert_eq!(seen, kinds, "{query}");
            found
        }
    };
    let of_susan = by(format!("user={susan_id}"), &["deleted"]).await;
    assert_eq!(of_susan[0]["user_id"], susan_id);
    assert_eq!(of_susan[0]["actor_id"], boss_id);
    by(format!("actor={boss_id}"), &["deleted"]).await;
    by(format!("user={boss_id}"), &["deleted"]).await;
    assert!(!all.to_string().contains("susan"), "{all}");
}

#[tokio::test]
async fn an_administrator_has_600_requests_a_minute() {
    let app = App::with(ON).await;
    let boss = administrator(&app, "boss").await;
    let other = administrator(&app, "other").await;
    app.sql("delete from rate_limits").await;
    boss.get("/api/admin/roles").await.expect(200);
    app.sql("update rate_limits set full_at = now() + interval '1 minute'")
        .await;
    let refused = boss.get("/api/admin/users").await;
    let refused = refused.refused(429, "rate_limited");
    let policy = refused.header("ratelimit-policy");
    assert_eq!(policy, "\"admin\";q=600;w=60");
    other.get("/api/admin/users").await.expect(200);
    other.get("/api/me").await.expect(200);
}
