//! Administration over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::operator::latchkey;
use crate::outbox::forgot;
use crate::recovery::{reset, with_mail};
use crate::support::{App, PASSWORD, Reply, Visitor, field_codes, send, wait_until};

/// Somebody with the role, which this instance knows of.
pub async fn administrator(app: &App, name: &str) -> Visitor {
    let visitor = app.logged_in(name).await;
    let done = latchkey(app, &["users", "grant", name, "admin"], "");
    assert!(done.status.success());
    wait_until("the role is known", async || {
        visitor.get("/api/admin/roles").await.status == 200
    })
    .await;
    visitor
}

pub async fn id_of(visitor: &Visitor) -> String {
    let me = visitor.get("/api/me").await.expect(200);
    me.body["id"].as_str().unwrap().to_owned()
}

pub async fn put_roles(admin: &Visitor, id: &str, roles: Value) -> Reply {
    let asked = admin.request(Method::PUT, &format!("/api/admin/users/{id}/roles"));
    send(asked.json(&json!({"roles": roles}))).await
}

/// The usernames on all pages, and how many pages there were.
pub async fn names(admin: &Visitor, query: &str) -> (Vec<String>, usize) {
    let (mut all, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = admin
            .get(&format!("/api/admin/users?{query}{cursor}"))
            .await
            .expect(200)
            .body;
        let users = page["users"].as_array().unwrap();
        all.extend(
            users
                .iter()
                .map(|user| user["username"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (all, pages),
        }
    }
}

/// J1.
#[tokio::test]
async fn only_administrators_pass_and_writing_needs_a_recent_login() {
    let app = App::with(&["--reauth-for=1s"]).await;
    let susan = app.logged_in("susan").await;
    let id = id_of(&susan).await;
    let reads = ["/api/admin/users", "/api/admin/roles", "/api/admin/events"];
    let of = |end: &str| format!("/api/admin/users/{id}{end}");
    let writes = [
        (Method::POST, "/api/admin/users".to_owned()),
        (Method::DELETE, of("")),
        (Method::PUT, of("/roles")),
        (Method::POST, of("/disable")),
        (Method::POST, of("/enable")),
        (Method::POST, of("/password-reset")),
        (Method::DELETE, of("/sessions")),
        (Method::DELETE, of("/second-factor")),
    ];
    let all: Vec<_> = reads
        .iter()
        .map(|path| (Method::GET, (*path).to_owned()))
        .chain(["", "/sessions"].map(|end| (Method::GET, of(end))))
        .chain(writes.iter().cloned())
        .collect();
    app.sql("insert into user_roles (user_id, role, area) select id, 'editor', 'x' from users")
        .await;
    for (method, path) in &all {
        send(app.visitor().request(method.clone(), path))
            .await
            .refused(401, "not_authenticated");
        let refused = send(susan.request(method.clone(), path))
            .await
            .refused(403, "forbidden");
        assert_eq!(refused.body["needs"], json!(["admin"]), "{path}");
    }
    let admin = administrator(&app, "boss").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    for (method, path) in &writes {
        let stale = send(admin.request(method.clone(), path)).await;
        stale.refused(403, "reauthentication_required");
    }
    for path in reads {
        admin.get(path).await.expect(200);
    }
    let strict = app.sibling(&["--admin-second-factor=on"]).await;
    let admin = admin.at(strict.address);
    for (method, path) in &all {
        let refused = send(admin.request(method.clone(), path)).await;
        refused.refused(403, "second_factor_missing");
    }
}

#[tokio::test]
async fn users_are_found_by_the_beginning_of_a_name_or_an_address() {
    let app = App::start().await;
    let admin = administrator(&app, "boss").await;
    for (name, address) in [
        ("Miguel", "m.perez@example.com"),
        ("milan", "z@example.org"),
        ("under_score", "a%b@example.com"),
        ("underXscore", "other@example.com"),
        ("zoe", "miranda@example.com"),
    ] {
        let form = json!({"username": name, "email": address, "password": PASSWORD});
        app.visitor().post("/api/register", form).await.expect(201);
    }
    app.sql("update users set disabled_at = now() where username = 'milan'")
        .await;
    for (query, expected) in [
        ("q=mi", vec!["Miguel", "milan", "zoe"]),
        ("q=MI", vec!["Miguel", "milan", "zoe"]),
        ("q=under_", vec!["under_score"]),
        ("q=a%25b", vec!["under_score"]),
        ("q=%25%25", vec![]),
        ("q=%5C%5C", vec![]),
        ("q=mi&state=active", vec!["Miguel", "zoe"]),
        ("state=disabled", vec!["milan"]),
        ("role=admin", vec!["boss"]),
        ("role=editor", vec![]),
    ] {
        assert_eq!(names(&admin, query).await.0, expected, "{query}");
        assert_eq!(
            names(&admin, &format!("{query}&limit=1")).await.0,
            expected,
            "{query}"
        );
    }
    for (query, code) in [
        ("q=m", "q: too_short"),
        ("q=a%00b", "q: invalid"),
        (&*format!("q={}", "m".repeat(10_000)), "q: too_long"),
        ("state=gone", "state: invalid"),
        ("role=Admin", "role: invalid"),
        ("limit=101", "limit: invalid"),
        ("limit=0", "limit: invalid"),
        ("cursor=x", "cursor: invalid"),
        // Of a search by name.
        ("cursor=dXN1c2Fu", "cursor: invalid"),
    ] {
        let refused = admin.get(&format!("/api/admin/users?{query}")).await;
        assert_eq!(
            field_codes(&refused.refused(422, "validation_failed").body),
            [code]
        );
    }
}

/// J7.
#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_people_come_and_go() {
    let app = App::start().await;
    let admin = administrator(&app, "boss").await;
    let add = "insert into users (username, email, password_hash, created_at) \
               select 'user' || n, 'user' || n || '@example.com', 'x', now() - interval '1 day' from generate_series(1000, 2999) n";
    app.sql(add).await;
    for query in ["q=user&limit=7", "limit=7"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        for page in 0.. {
            let path = format!("/api/admin/users?{query}{cursor}");
            let body = admin.get(&path).await.expect(200).body;
            let users = body["users"].as_array().unwrap().iter();
            seen.extend(users.map(|user| user["username"].as_str().unwrap().to_owned()));
            // Before and after where the page ends, in both orders.
            app.sql(&format!(
                "insert into users (username, email, created_at) values \
                 ('user0{page}', 'a{page}@example.com', now() - interval '2 days'), ('user9{page}', 'b{page}@example.com', now())"
            ))
            .await;
            match body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            if page == 60 {
                app.sql("delete from users where username > 'user14'").await;
            }
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(all, seen.len(), "{query}: nobody is shown twice");
        let stayed = app
            .sql("select username from users where username like 'user1%' and length(username) = 8")
            .await;
        assert!(stayed.len() > 100);
        for name in stayed.iter().filter_map(|row| row[0].clone()) {
            assert!(seen.contains(&name), "{query}: {name} is skipped");
        }
        app.sql("delete from users where username like 'user%'")
            .await;
        app.sql(add).await;
    }
}

#[tokio::test]
async fn an_invited_user_has_their_roles_and_chooses_a_password() {
    let (app, smtp) = with_mail(&[]).await;
    let admin = administrator(&app, "boss").await;
    smtp.wait_for(1).await;
    let form = json!({"username": "ada", "email": "ada@example.com", "roles": ["viewer", "editor:media", "viewer"]});
    let ada = admin
        .post("/api/admin/users", form.clone())
        .await
        .expect(201)
        .body;
    assert_eq!(ada["roles"], json!(["editor:media", "viewer"]));
    assert_eq!(
        (&ada["password"], &ada["sessions"]),
        (&json!(false), &json!(0))
    );
    let taken = admin
        .post("/api/admin/users", form)
        .await
        .refused(422, "validation_failed");
    assert_eq!(
        field_codes(&taken.body),
        ["email: taken", "username: taken"]
    );
    let bad = json!({"username": "a", "email": "a", "roles": ["user"]});
    let bad = admin.post("/api/admin/users", bad).await;
    assert_eq!(
        field_codes(&bad.body),
        ["email: invalid", "roles: reserved", "username: too_short"]
    );
    let token = smtp.wait_for(2).await[1].token();
    // J3: whoever is invited adds nothing to that.
    let wish = json!({"token": token, "password": PASSWORD, "roles": ["admin"], "factors": 2});
    let visitor = app.visitor();
    visitor.post("/api/password/reset", wish).await.expect(204);
    let login = visitor.log_in("ada").await.expect(200).body;
    assert_eq!(login["user"]["roles"], json!(["editor:media", "viewer"]));
    let many: Vec<_> = (0..51).map(|n| format!("r{n}")).collect();
    let many = json!({"username": "ben", "email": "ben@example.com", "roles": many});
    let many = admin.post("/api/admin/users", many).await;
    assert_eq!(field_codes(&many.body), ["roles: too_long"]);
    let id = ada["id"].as_str().unwrap();
    let shown = admin
        .get(&format!("/api/admin/users/{id}"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (&shown["password"], &shown["sessions"]),
        (&json!(true), &json!(1))
    );
}

#[tokio::test]
async fn an_account_is_deleted_by_its_name() {
    let app = App::start().await;
    let admin = administrator(&app, "boss").await;
    let susan = app.logged_in("susan").await;
    let path = format!("/api/admin/users/{}", id_of(&susan).await);
    let wrong = admin.delete(&format!("{path}?username=miguel")).await;
    assert_eq!(
        field_codes(&wrong.refused(422, "validation_failed").body),
        ["username: mismatch"]
    );
    let asked = admin
        .request(Method::DELETE, &path)
        .json(&json!({"username": "Susan"}));
    send(asked).await.expect(204);
    assert!(!susan.is_logged_in().await);
    for path in [
        &path,
        &format!("{path}/sessions"),
        &"/api/admin/users/nonsense".to_owned(),
    ] {
        admin.get(path).await.refused(404, "item_not_found");
    }
    admin
        .delete(&format!("{path}?username=susan"))
        .await
        .refused(404, "item_not_found");
    put_roles(&admin, "00000000-0000-4000-8000-000000000000", json!([]))
        .await
        .refused(404, "item_not_found");
}

/// A link to another password says nothing about who asked for it.
#[tokio::test]
async fn a_reset_by_an_administrator_is_the_newest_link() {
    let (app, smtp) = with_mail(&[]).await;
    let admin = administrator(&app, "boss").await;
    let susan = app.logged_in("susan").await;
    smtp.wait_for(2).await;
    forgot(&app.visitor(), "susan@example.com").await;
    let old = smtp.wait_for(3).await[2].token();
    let path = format!("/api/admin/users/{}/password-reset", id_of(&susan).await);
    admin.post(&path, json!({})).await.expect(202);
    let new = smtp.wait_for(4).await[3].token();
    reset(&app.visitor(), &old, PASSWORD)
        .await
        .refused(410, "token_invalid_or_expired");
    reset(&app.visitor(), &new, "seven-Boats-under-9-moons")
        .await
        .expect(204);
}
