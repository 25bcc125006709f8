//! Passwords: what is accepted, how they are hashed, and how they are changed and confirmed.

use latchkey::auth::hashing::Hasher;
use latchkey::auth::metrics::Metrics;
use latchkey::domain::password::PlainPassword;
use latchkey::domain::strength::Strength;
use serde_json::json;

use crate::support::{App, PASSWORD, Reply, at_once, field_codes, send, wait_until};

const OTHER: &str = "seven-Boats-under-9-moons";

async fn try_password(app: &App, name: &str, password: &str) -> Reply {
    let form =
        json!({"username": name, "email": format!("{name}@example.com"), "password": password});
    app.visitor().post("/api/register", form).await
}

#[tokio::test]
async fn weak_passwords_are_refused_with_the_reason() {
    let app = App::start().await;
    for weak in [
        "password1",
        "12345678",
        "qwertyuiop",
        "susan1234",
        "aaaaaaaaaa",
        "latchkey1",
    ] {
        let reply = try_password(&app, "susan", weak)
            .await
            .refused(422, "validation_failed");
        assert_eq!(field_codes(&reply.body), ["password: too_weak"], "{weak}");
        let message = reply.body["errors"]["password"][0]["message"]
            .as_str()
            .unwrap();
        assert!(
            message.len() > "This password is too easy to guess.".len(),
            "{message}"
        );
    }
}

/// zxcvbn finds these strong enough.
#[tokio::test]
async fn passwords_that_many_people_use_are_refused_however_strong_they_look() {
    let app = App::with(&["--password-min-score=0"]).await;
    for known in ["starkiller1234", "StarKiller1234", "050605rostik"] {
        let reply = try_password(&app, "susan", known).await;
        let reply = reply.refused(422, "validation_failed");
        assert_eq!(field_codes(&reply.body), ["password: too_weak"], "{known}");
        let message = reply.body["errors"]["password"][0]["message"].as_str();
        assert!(message.unwrap().contains("Many people use"), "{message:?}");
    }
    try_password(&app, "susan", "starkiller1234-rostik")
        .await
        .expect(201);
}

#[tokio::test]
async fn any_unicode_is_allowed_and_nothing_is_trimmed_or_truncated() {
    let app = App::start().await;
    let long = "correct horse battery staple ".repeat(8) + &"x".repeat(24);
    assert_eq!(long.chars().count(), 256);
    let passwords = [
        "  leading and trailing  ",
        "пароль от почты 42",
        "🦀🦀🦞🦀🦑🐙🐠🐡 deep",
        &long,
    ];
    for (n, password) in passwords.iter().enumerate() {
        let name = format!("user{n}");
        try_password(&app, &name, password).await.expect(201);
        let log_in = |password: String| {
            let visitor = app.visitor();
            let name = name.clone();
            async move {
                visitor
                    .post(
                        "/api/login",
                        json!({"username": name, "password": password}),
                    )
                    .await
            }
        };
        log_in((*password).to_owned()).await.expect(200);
        let mut cut: Vec<char> = password.chars().collect();
        cut.pop();
        log_in(cut.into_iter().collect())
            .await
            .refused(401, "invalid_credentials");
    }
    let reply = try_password(&app, "susan", &(long + "x"))
        .await
        .refused(422, "validation_failed");
    assert_eq!(field_codes(&reply.body), ["password: too_long"]);
}

#[tokio::test]
async fn composed_and_decomposed_spellings_are_the_same_password() {
    let app = App::start().await;
    try_password(&app, "susan", "caf\u{e9} au lait 4711")
        .await
        .expect(201);
    let form = json!({"username": "susan", "password": "cafe\u{301} au lait 4711"});
    app.visitor().post("/api/login", form).await.expect(200);
}

#[tokio::test]
async fn minimum_length_and_strength_are_configurable() {
    let app = App::with(&["--password-min-length=15", "--password-min-score=4"]).await;
    let reply = try_password(&app, "susan", "kX9#mQ2$vL")
        .await
        .refused(422, "validation_failed");
    assert_eq!(field_codes(&reply.body), ["password: too_short"]);
    try_password(&app, "susan", "kX9#mQ2$vL-wR7!pT")
        .await
        .expect(201);
}

#[tokio::test]
async fn other_hashes_are_replaced_at_the_next_login_and_sessions_continue() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let old = hash_with(8, 1, PASSWORD).await;
    app.sql("alter table users disable trigger users_locked_out")
        .await;
    app.sql(&format!("update users set password_hash = '{old}'"))
        .await;
    app.sql("alter table users enable trigger users_locked_out")
        .await;
    let wrong = json!({"username": "susan", "password": "wrong-Password-9"});
    app.visitor()
        .post("/api/login", wrong)
        .await
        .refused(401, "invalid_credentials");
    let stored = async || {
        app.sql("select password_hash from users").await[0][0]
            .clone()
            .unwrap()
    };
    assert_eq!(stored().await, old);
    app.visitor().log_in("susan").await.expect(200);
    assert!(stored().await.contains("m=64,t=1,p=1"));
    assert!(susan.is_logged_in().await);
    app.visitor().log_in("susan").await.expect(200);
    // So is a costlier one, which another system made.
    let costly = hash_with(256, 2, PASSWORD).await;
    let users = "update users set rehashed_at = now(), password_hash";
    app.sql(&format!("{users} = '{costly}'")).await;
    app.visitor().log_in("susan").await.expect(200);
    assert!(stored().await.contains("m=64,t=1,p=1"));
    // Logins at the same time, each of which makes the hash stronger.
    for _ in 0..10 {
        app.sql(&format!(
            "update users set password_hash = '{old}', rehashed_at = now()"
        ))
        .await;
        let logins = at_once(4, async |_| app.visitor().log_in("susan").await).await;
        for login in logins.replies {
            login.expect(200);
        }
    }
}

async fn hash_with(memory: u32, passes: u32, password: &str) -> String {
    let params = argon2::Params::new(memory, passes, 1, Some(32)).unwrap();
    let hasher = Hasher::start(params, 1, Metrics::default()).ok().unwrap();
    let anything = Strength {
        min_length: 1,
        min_score: 0,
    };
    let password = PlainPassword::parse(password).unwrap();
    hasher
        .hash(anything.judge(password, &[]).unwrap())
        .await
        .ok()
        .unwrap()
        .as_str()
        .to_owned()
}

#[tokio::test]
async fn a_foreign_or_oversized_stored_hash_is_not_computed() {
    let app = App::start().await;
    app.registered("susan").await;
    let tail = "$c2FsdHNhbHRzYWx0$qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
    for hash in [
        "",
        "x",
        "pbkdf2:sha256:1$salt$00",
        &format!("$argon2id$v=19$m=4294967295,t=1,p=1{tail}"),
        &format!("$argon2id$v=19$m=64,t=4294967295,p=1{tail}"),
        &format!("$argon2d$v=19$m=64,t=1,p=1{tail}"),
        "$argon2id$v=19$m=64,t=1,p=1",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAA",
    ] {
        app.sql(&format!("update users set password_hash = '{hash}'"))
            .await;
        app.visitor()
            .log_in("susan")
            .await
            .refused(401, "invalid_credentials");
    }
}

#[tokio::test]
async fn changing_the_password_ends_the_other_sessions_and_renews_this_one() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    let form = json!({"username": "susan", "password": PASSWORD, "remember_me": true});
    let first = susan.post("/api/login", form).await.expect(200);
    let elsewhere = app.visitor();
    elsewhere.log_in("susan").await.expect(200);
    let form = json!({"current_password": PASSWORD, "new_password": OTHER});
    let reply = susan.post("/api/password/change", form).await.expect(200);
    assert_eq!(reply.body["revoked"], 1);
    assert!(
        reply
            .cookie("latchkey_session")
            .unwrap()
            .contains("Max-Age=25")
    );
    assert!(!elsewhere.is_logged_in().await);
    let me = susan.get("/api/me").await.expect(200);
    assert_ne!(me.body["session"]["id"], first.body["session"]["id"]);
    assert_eq!(
        me.body["session"]["expires_at"],
        first.body["session"]["expires_at"]
    );
    let old_cookie = app
        .visitor()
        .request(reqwest::Method::GET, "/api/me")
        .header("cookie", first.session_cookie());
    crate::support::send(old_cookie)
        .await
        .refused(401, "not_authenticated");
    app.visitor()
        .log_in("susan")
        .await
        .refused(401, "invalid_credentials");
    app.visitor()
        .post(
            "/api/login",
            json!({"username": "susan", "password": OTHER}),
        )
        .await
        .expect(200);
}

#[tokio::test]
async fn a_password_change_needs_the_current_password_and_a_good_new_one() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let change = async |current: &str, new: &str| {
        susan
            .post(
                "/api/password/change",
                json!({"current_password": current, "new_password": new}),
            )
            .await
    };
    let reply = change("wrong-Password-9", OTHER)
        .await
        .refused(422, "validation_failed");
    assert_eq!(field_codes(&reply.body), ["current_password: incorrect"]);
    let reply = change(PASSWORD, "susan123")
        .await
        .refused(422, "validation_failed");
    assert_eq!(field_codes(&reply.body), ["new_password: too_weak"]);
    let reply = change("", "").await.refused(422, "validation_failed");
    assert_eq!(
        field_codes(&reply.body),
        ["current_password: required", "new_password: required"]
    );
    assert!(susan.is_logged_in().await);
    app.visitor().log_in("susan").await.expect(200);
}

#[tokio::test]
async fn one_of_two_concurrent_changes_wins() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let change = |new: &str| {
        susan.post(
            "/api/password/change",
            json!({"current_password": PASSWORD, "new_password": new}),
        )
    };
    let (a, b) = tokio::join!(
        change("first-Choice-of-71-words"),
        change("second-Choice-of-72-words")
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    // The loser finds its session ended or, if it is later, its password changed.
    assert_eq!(statuses[0], 200);
    assert!([401, 422].contains(&statuses[1]), "{statuses:?}");
    assert_eq!(app.count("select count(*) from sessions").await, 1);
}

#[tokio::test]
async fn reauthenticating_makes_the_password_recent() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    app.sql("update sessions set authenticated_at = now() - interval '1 hour'")
        .await;
    let wrong = json!({"password": "wrong-Password-9"});
    let reply = susan.post("/api/reauthenticate", wrong).await;
    let reply = reply.refused(422, "validation_failed");
    assert_eq!(field_codes(&reply.body), ["password: incorrect"]);
    let reply = susan
        .post("/api/reauthenticate", json!({"password": PASSWORD}))
        .await
        .expect(200);
    assert!(reply.body["expires_at"].as_str() > reply.body["authenticated_at"].as_str());
    let me = susan.get("/api/me").await.expect(200);
    assert_eq!(
        me.body["session"]["authenticated_at"],
        reply.body["authenticated_at"]
    );
}

#[tokio::test]
async fn a_password_entered_long_ago_is_not_recent() {
    use latchkey::auth::error::AuthError;
    use latchkey::auth::recent::require_recent;
    use latchkey::auth::session::recognize::recognize;
    use latchkey::domain::secret::KeyHash;
    let app = App::start().await;
    let susan = app.registered("susan").await;
    let cookie = susan.log_in("susan").await.session_cookie();
    let visit = async |cookie: &str| {
        let key_hash = KeyHash::of(&cookie[cookie.len() - 64..]);
        let found = recognize(&app.services, key_hash).await;
        found.ok().flatten().unwrap()
    };
    assert!(
        require_recent(&app.services, &visit(&cookie).await)
            .await
            .is_ok()
    );
    app.sql("update sessions set authenticated_at = now() - interval '15 minutes 1 second'")
        .await;
    crate::support::wait_until("the change arrives and the password is old", async || {
        let refused = require_recent(&app.services, &visit(&cookie).await).await;
        matches!(refused, Err(AuthError::ReauthenticationRequired { max_age, .. }) if max_age.as_secs() == 900)
    })
    .await;
    let reply = susan
        .post("/api/reauthenticate", json!({"password": PASSWORD}))
        .await
        .expect(200);
    let renewed = visit(&reply.session_cookie()).await;
    assert!(require_recent(&app.services, &renewed).await.is_ok());
}

#[tokio::test]
async fn reauthenticating_renews_the_key_and_kills_the_old_one_everywhere() {
    let app = App::start().await;
    let other = app.sibling(&[]).await;
    let susan = app.registered("susan").await;
    let form = json!({"username": "susan", "password": PASSWORD, "remember_me": true});
    let login = susan.post("/api/login", form).await.expect(200);
    let elsewhere = app.visitor();
    elsewhere.log_in("susan").await.expect(200);
    let with_old_cookie = async |on: &App| {
        let me = on.visitor().request(reqwest::Method::GET, "/api/me");
        send(me.header("cookie", login.session_cookie())).await
    };
    with_old_cookie(&other).await.expect(200);
    let password = json!({"password": PASSWORD});
    let reply = susan
        .post("/api/reauthenticate", password)
        .await
        .expect(200);
    let cookie = reply.cookie("latchkey_session").unwrap();
    assert!(
        cookie.contains("Max-Age=25"),
        "the rest of 30 days: {cookie}"
    );
    assert!(reply.cookie("latchkey_device").is_none());
    with_old_cookie(&app)
        .await
        .refused(401, "not_authenticated");
    wait_until("the other instance is notified", async || {
        with_old_cookie(&other).await.status == 401
    })
    .await;
    let me = susan.get("/api/me").await.expect(200);
    assert_eq!(me.body["session"]["id"], login.body["session"]["id"]);
    assert!(elsewhere.is_logged_in().await);
}

#[tokio::test]
async fn renewing_a_key_kills_the_old_one_without_a_notification() {
    let app = App::start().await;
    let susan = app.registered("susan").await;
    let old = susan.log_in("susan").await.session_cookie();
    assert!(susan.is_logged_in().await);
    app.sql("alter table sessions disable trigger sessions_changed")
        .await;
    let password = json!({"password": PASSWORD});
    susan
        .post("/api/reauthenticate", password)
        .await
        .expect(200);
    let me = app.visitor().request(reqwest::Method::GET, "/api/me");
    let reply = send(me.header("cookie", old)).await;
    reply.refused(401, "not_authenticated");
}

#[tokio::test]
async fn a_concurrent_rehash_does_not_count_as_a_password_change() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let weaker = hash_with(32, 1, PASSWORD).await;
    let users = "update users set rehashed_at = now(), password_hash";
    app.sql(&format!("{users} = '{weaker}'")).await;
    let stronger = hash_with(64, 1, PASSWORD).await;
    // The change waits for this lock after it has checked the password and before it writes.
    let meanwhile = format!(
        "begin; select from users for update; select pg_sleep(0.7); {users} = '{stronger}'; commit"
    );
    let form = json!({"current_password": PASSWORD, "new_password": OTHER});
    let change = susan.post("/api/password/change", form);
    let (reply, _) = tokio::join!(change, app.sql(&meanwhile));
    reply.expect(200);
}

#[tokio::test]
async fn a_new_password_is_not_judged_if_the_current_one_is_refused() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let weak = "4@({[<691!|7$5+".repeat(6);
    let change = async |current: &str, new: &str| {
        let form = json!({"current_password": current, "new_password": new});
        susan.post("/api/password/change", form).await
    };
    let reply = change(&"x".repeat(257), "password1").await;
    let reply = reply.refused(422, "validation_failed");
    assert_eq!(field_codes(&reply.body), ["current_password: too_long"]);
    for new in ["password1", &weak] {
        let reply = change("wrong-Password-9", new)
            .await
            .refused(422, "validation_failed");
        assert_eq!(field_codes(&reply.body), ["current_password: incorrect"]);
    }
    let reply = change(PASSWORD, "password1").await;
    let reply = reply.refused(422, "validation_failed");
    assert_eq!(field_codes(&reply.body), ["new_password: too_weak"]);
}

#[tokio::test]
async fn judging_waits_in_the_bounded_hash_queue() {
    let app = App::with(&["--hash-workers=1"]).await;
    let busy = app.full_hasher().await;
    try_password(&app, "susan", "password1")
        .await
        .refused(503, "overloaded");
    busy.let_go().await;
    let reply = try_password(&app, "susan", "password1").await;
    assert_eq!(field_codes(&reply.body), ["password: too_weak"]);
}
