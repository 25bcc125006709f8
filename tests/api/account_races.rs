//! What happens to one account at once: the order is anybody's, but the end is consistent.

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::{join, join3, join4};
use reqwest::Method;
use serde_json::json;

use crate::outbox::forgot;
use crate::outbox::wait_until_empty;
use crate::recovery::{log_in_with, reset, token_in, with_mail};
use crate::support::smtp::Smtp;
use crate::support::{App, PASSWORD, Reply, Visitor, send, wait_until};

const NEW: &str = "seven-Boats-under-9-moons";

async fn run(conn: &mut AsyncPgConnection, sql: &str) {
    diesel::sql_query(sql).execute(conn).await.unwrap();
}

/// Sends a request that waits for the user's row, and changes the row by `sql` meanwhile.
async fn while_it_waits(app: &App, sql: &str, asked: impl Future<Output = Reply>) -> Reply {
    let mut other = app.database.connector().connect().await.unwrap();
    run(&mut other, "begin").await;
    run(&mut other, "select from users for update").await;
    let change = async {
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() \
                       and wait_event_type = 'Lock'";
        wait_until("it waits", async || app.count(waiting).await > 0).await;
        run(&mut other, sql).await;
        run(&mut other, "commit").await;
    };
    join(asked, change).await.0
}

/// Has tokens become valid slowly, as on a busy database.
async fn slow_tokens(app: &App) {
    app.sql(
        "create function dawdle() returns trigger language plpgsql as 'begin perform set_config(''deadlock_timeout'', ''1min'', true), pg_sleep(0.5); return new; end'; \
         create trigger dawdle before insert on tokens for each row execute function dawdle()",
    )
    .await;
}

async fn a_token_is_being_made(app: &App) {
    let making = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    wait_until("a token is being made", async || {
        app.count(making).await > 0
    })
    .await;
}

/// B8: whoever is shut out at this moment asks for nothing more.
#[tokio::test]
async fn a_session_that_ends_meanwhile_neither_asks_for_an_address_nor_deletes_the_account() {
    let app = App::start().await;
    for (method, path, form) in [
        (
            Method::POST,
            "/api/email/change",
            json!({"email": "thief@example.org"}),
        ),
        (Method::DELETE, "/api/me", json!({"username": "susan"})),
    ] {
        app.sql("delete from users").await;
        let intruder = app.logged_in("susan").await;
        let asked = send(intruder.request(method, path).json(&form));
        let shut_out = "update users set password_hash = 'another'";
        let reply = while_it_waits(&app, shut_out, asked).await;
        reply.refused(401, "not_authenticated");
        let left = "select count(*) from users where pending_email is null";
        assert_eq!(app.count(left).await, 1, "{path}");
    }
}

#[tokio::test]
async fn an_account_that_is_deleted_meanwhile_is_no_failure() {
    let app = App::start().await;
    for (path, form, status) in [
        (
            "/api/email/change",
            json!({"email": "new@example.org"}),
            401,
        ),
        ("/api/email/verify/resend", json!({}), 202),
    ] {
        let susan = app.logged_in("susan").await;
        let reply = while_it_waits(&app, "delete from users", susan.post(path, form)).await;
        reply.expect(status);
    }
}

#[tokio::test]
async fn an_account_is_deleted_while_a_mail_to_it_is_being_made() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = app.logged_in("susan").await;
    smtp.wait_for(1).await;
    slow_tokens(&app).await;
    let form = json!({"email": "new@example.org"});
    susan.post("/api/email/change", form).await.expect(202);
    a_token_is_being_made(&app).await;
    susan.delete("/api/me?username=susan").await.expect(204);
    wait_until_empty(&app).await;
    assert_eq!(app.count("select count(*) from users").await, 0);
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(app.count(deadlocks).await, 0);
}

/// F12: also a link that is being made right now.
#[tokio::test]
async fn a_new_password_voids_the_link_that_is_being_made() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = app.logged_in("susan").await;
    smtp.wait_for(1).await;
    slow_tokens(&app).await;
    forgot(&app.visitor(), "susan@example.com").await;
    a_token_is_being_made(&app).await;
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    susan.post("/api/password/change", change).await.expect(200);
    let mails = smtp.wait_for(3).await;
    let link = mails.iter().find(|mail| mail.link().contains("/reset#"));
    let void = reset(
        &app.visitor(),
        &link.unwrap().token(),
        "another-Lamp-17-sea",
    )
    .await;
    void.refused(410, "token_invalid_or_expired");
}

/// Susan with a proven address, and a link of each kind.
struct Round {
    susan: Visitor,
    links: [String; 3],
}

async fn round(app: &App, smtp: &Smtp, name: &str) -> Round {
    let seen = smtp.mails().len();
    let susan = app.logged_in(name).await;
    let form = json!({"token": token_in(smtp, seen, "Confirm").await});
    susan.post("/api/email/verify", form).await.expect(204);
    app.visitor().log_in(name).await.expect(200);
    let not_me = token_in(smtp, seen + 1, "").await;
    forgot(&app.visitor(), &format!("{name}@example.com")).await;
    let reset = token_in(smtp, seen + 2, "password").await;
    let form = json!({"email": format!("{name}@example.org")});
    susan.post("/api/email/change", form).await.expect(202);
    let change = token_in(smtp, seen + 3, "address").await;
    Round {
        susan,
        links: [reset, not_me, change],
    }
}

impl Round {
    /// Everything at once. Statuses of: reset, not me, confirmation, password change, login, request for another
    /// address, deletion.
    async fn play(&self, app: &App, name: &str, leave: bool) -> Vec<u16> {
        let link = async |path: &str, n: usize| {
            let form = json!({"token": self.links[n], "password": NEW});
            app.visitor().post(path, form).await.status
        };
        let change = json!({"current_password": PASSWORD, "new_password": "another-Lamp-17-sea"});
        let another = json!({"email": format!("{name}@example.net")});
        let gone = async {
            if leave {
                let path = format!("/api/me?username={name}");
                return self.susan.delete(&path).await.status;
            }
            self.susan
                .post("/api/email/verify/resend", json!({}))
                .await
                .status
        };
        let links = join3(
            link("/api/password/reset", 0),
            link("/api/account/not-me", 1),
            link("/api/email/change/confirm", 2),
        );
        let others = join4(
            async { self.susan.post("/api/password/change", change).await.status },
            async { app.visitor().log_in(name).await.status },
            async { self.susan.post("/api/email/change", another).await.status },
            gone,
        );
        let ((a, b, c), (d, e, f, g)) = join(links, others).await;
        [a, b, c, d, e, f, g].map(|status| status.as_u16()).into()
    }
}

#[tokio::test]
async fn fifty_rounds_of_everything_at_once_end_consistently() {
    let (app, smtp) = with_mail(&["--sign-in-notice=on", "--db-pool=10"]).await;
    for n in 0..50 {
        let name = format!("susan{n}");
        let leave = n % 3 == 0;
        let round = round(&app, &smtp, &name).await;
        let statuses = round.play(&app, &name, leave).await;
        assert!(
            statuses.iter().all(|status| *status < 500),
            "{n}: {statuses:?}"
        );
        let [reset, not_me, confirmed, changed, .., gone] = statuses[..] else {
            unreachable!()
        };
        wait_until_empty(&app).await;
        let users = format!("select count(*) from users where username = '{name}'");
        assert_eq!(
            app.count(&users).await == 0,
            leave && gone == 204,
            "{statuses:?}"
        );
        // No session of before is left, unless nothing but its own new password ended it.
        if not_me == 204 || reset == 204 {
            let old = format!(
                "select count(*) from sessions join users on users.id = user_id \
                 where username = '{name}' and password_hash is null"
            );
            assert_eq!(app.count(&old).await, 0, "{statuses:?}");
        }
        if not_me == 204 && gone != 204 {
            log_in_with(&app, &name, PASSWORD)
                .await
                .refused(401, "invalid_credentials");
        }
        let moved = format!("select count(*) from users where email = '{name}@example.org'");
        assert_eq!(
            app.count(&moved).await == 1,
            confirmed == 204 && not_me != 204 && gone != 204,
            "not-me brings the address back: {statuses:?}"
        );
        assert!([200, 401, 422].contains(&changed), "{statuses:?}");
    }
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(app.count(deadlocks).await, 0);
}
