//! What an administrator may do ends with the right to do it, however long the request takes.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::admin::{administrator, id_of, names, put_roles};
use crate::operator::latchkey;
use crate::support::{App, Visitor, send, wait_until};

/// A request whose body has not all arrived.
struct Held {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Held {
    async fn send(app: &App, cookie: &str, line: &str, body: &serde_json::Value) -> Self {
        let body = body.to_string();
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        let (first, rest) = body.as_bytes().split_at(5);
        let head = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(first).await.unwrap();
        // The guard has let it in by now.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        Self {
            stream,
            rest: rest.to_vec(),
        }
    }

    /// The status of the answer.
    async fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        answer[9..12].to_owned()
    }
}

async fn with_cookie(app: &App, name: &str) -> (Visitor, String) {
    app.registered(name).await;
    let granted = latchkey(app, &["users", "grant", name, "admin"], "");
    assert!(granted.status.success());
    let visitor = app.visitor();
    let reply = visitor.log_in(name).await.expect(200);
    let cookie = reply.cookie("latchkey_session").unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    wait_until("the role is known", async || {
        visitor.get("/api/admin/roles").await.status == 200
    })
    .await;
    (visitor, cookie)
}

/// Ends what Eve may do.
async fn end(boss: &Visitor, eve: &Visitor, how: &str) {
    let me = eve.get("/api/me").await.expect(200).body;
    let (id, name) = (me["id"].as_str().unwrap(), me["username"].as_str().unwrap());
    let path = format!("/api/admin/users/{id}");
    match how {
        "demote" => put_roles(boss, id, json!([])).await.expect(200),
        "disable" => {
            let disabled = boss.post(&format!("{path}/disable"), json!({})).await;
            disabled.expect(204)
        }
        "log out" => eve.post("/api/logout", json!({})).await.expect(204),
        _ => {
            let deleted = boss.delete(&format!("{path}?username={name}")).await;
            deleted.expect(204)
        }
    };
}

#[tokio::test]
async fn whoever_is_no_administrator_any_more_changes_nothing() {
    let app = App::start().await;
    let boss = administrator(&app, "boss").await;
    let susan = id_of(&app.logged_in("susan").await).await;
    for (round, how) in ["demote", "disable", "log out", "delete"]
        .iter()
        .enumerate()
    {
        let (eve, cookie) = with_cookie(&app, &format!("eve{round}")).await;
        let accomplice =
            json!({"username": "mallory", "email": "m@example.com", "roles": ["admin"]});
        let path = format!("/api/admin/users/{susan}");
        let held = [
            Held::send(&app, &cookie, "POST /api/admin/users", &accomplice).await,
            Held::send(
                &app,
                &cookie,
                &format!("PUT {path}/roles"),
                &json!({"roles": ["admin"]}),
            )
            .await,
            Held::send(
                &app,
                &cookie,
                &format!("DELETE {path}"),
                &json!({"username": "susan"}),
            )
            .await,
        ];
        end(&boss, &eve, how).await;
        let expected = if *how == "demote" { "403" } else { "401" };
        for held in held {
            assert_eq!(held.finish().await, expected, "{how}");
        }
        let done = "select count(*) from users where username = 'mallory' or id in (select user_id from user_roles \
                    where role = 'admin' and user_id not in (select id from users where username ~ '^(boss|eve)'))";
        assert_eq!(app.count(done).await, 0, "{how}");
    }
    assert_eq!(
        app.count("select count(*) from users where username = 'susan'")
            .await,
        1
    );
}

/// J6: what cannot be recorded is not done.
#[tokio::test]
async fn a_change_and_its_event_are_one() {
    let app = App::start().await;
    let boss = administrator(&app, "boss").await;
    let susan = id_of(&app.logged_in("susan").await).await;
    app.sql(
        "alter table security_events add constraint none check (kind <> 'roles_set') not valid",
    )
    .await;
    let path = format!("/api/admin/users/{susan}/roles");
    let asked = boss
        .request(Method::PUT, &path)
        .json(&json!({"roles": ["editor"]}));
    assert!(send(asked).await.status.is_server_error());
    assert_eq!(
        app.count("select count(*) from user_roles where role = 'editor'")
            .await,
        0
    );
}

/// J4: whoever has never chosen a password cannot stand in.
#[tokio::test]
async fn an_invited_administrator_is_not_counted_until_they_can_log_in() {
    let app = App::start().await;
    let boss = administrator(&app, "boss").await;
    let invited = json!({"username": "ada", "email": "ada@example.com", "roles": ["admin"]});
    let ada = boss
        .post("/api/admin/users", invited)
        .await
        .expect(201)
        .body;
    let leave = "/api/me?username=boss";
    boss.delete(leave).await.refused(409, "last_admin");
    let events = boss
        .get("/api/admin/events?kind=invited")
        .await
        .expect(200)
        .body;
    assert_eq!(events["events"][0]["details"], json!({"roles": ["admin"]}));
    assert_eq!(events["events"][0]["user_id"], ada["id"]);
    app.sql("update users set password_hash = 'x' where username = 'ada'")
        .await;
    boss.delete(leave).await.expect(204);
}

/// J7: somebody who is found and deleted before being shown is missing, and nobody else.
#[tokio::test]
async fn pages_go_on_while_people_leave() {
    let app = App::start().await;
    let boss = administrator(&app, "boss").await;
    app.sql(
        "insert into users (username, email) select 'user' || n, 'user' || n || '@example.com' \
         from generate_series(1, 6000) n",
    )
    .await;
    let leaving = "do $$ begin for round in 1..500 loop \
                   delete from users where id in (select id from users where username <> 'boss' order by random() limit 8); \
                   commit; perform pg_sleep(0.01); end loop; end $$";
    let passes = std::cell::RefCell::new(Vec::new());
    let read = async {
        loop {
            let all = names(&boss, "q=user&limit=100").await.0;
            passes.borrow_mut().push(all);
        }
    };
    tokio::select! {
        () = read => {}
        _ = app.sql(leaving) => {}
    }
    let stayed = app
        .sql("select username from users where username <> 'boss'")
        .await;
    assert_eq!(stayed.len(), 2000);
    let passes = passes.into_inner();
    assert!(!passes.is_empty());
    for pass in passes {
        let seen: HashSet<_> = pass.iter().map(String::as_str).collect();
        assert_eq!(seen.len(), pass.len());
        let missing = stayed.iter().filter_map(|row| row[0].as_deref());
        assert_eq!(missing.filter(|name| !seen.contains(name)).count(), 0);
    }
}
