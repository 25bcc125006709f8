//! What intruders try with the mails of an account, and what they learn from them.

use serde_json::json;

use crate::outbox::forgot;
use crate::outbox::wait_until_empty as nothing_waits;
use crate::recovery::{log_in_with, reset, token_in, with_mail};
use crate::support::smtp::{Mode, Smtp};
use crate::support::{App, PASSWORD, Visitor, wait_until};

const NEW: &str = "seven-Boats-under-9-moons";

/// Moves the account to an address whose mailbox the caller reads. Returns the token of the notice to the former one.
async fn move_to(app: &App, smtp: &Smtp, visitor: &Visitor, address: &str) -> String {
    let seen = smtp.mails().len();
    let form = json!({"email": address});
    visitor.post("/api/email/change", form).await.expect(202);
    let form = json!({"token": token_in(smtp, seen, "address").await});
    let confirmed = app.visitor().post("/api/email/change/confirm", form).await;
    confirmed.expect(204);
    token_in(smtp, seen + 1, "changed").await
}

pub async fn not_me(app: &App, token: &str) -> crate::support::Reply {
    let form = json!({"token": token});
    app.visitor().post("/api/account/not-me", form).await
}

/// Susan, logged in, with a proven address.
pub async fn susan(app: &App, smtp: &Smtp) -> Visitor {
    let susan = app.registered("susan").await;
    let form = json!({"token": token_in(smtp, 0, "Confirm").await, "password": PASSWORD});
    susan.post("/api/email/verify", form).await.expect(204);
    susan.log_in("susan").await.expect(200);
    susan
}

async fn email_of(app: &App, name: &str) -> Option<String> {
    let rows = app
        .sql(&format!(
            "select email from users where username = '{name}'"
        ))
        .await;
    rows[0][0].clone()
}

/// F9: registering the address that became free does not keep it from its owner.
#[tokio::test]
async fn an_intruder_who_registers_the_former_address_does_not_keep_it() {
    let (app, smtp) = with_mail(&[]).await;
    let intruder = susan(&app, &smtp).await;
    let notice = move_to(&app, &smtp, &intruder, "thief@example.org").await;
    let form = json!({"username": "squatter", "email": "Susan@example.com", "password": PASSWORD});
    app.visitor().post("/api/register", form).await.expect(201);
    smtp.wait_for(4).await;

    not_me(&app, &notice).await.expect(204);
    let back = &smtp.wait_for(5).await[4];
    assert_eq!(back.to, ["susan@example.com"]);
    reset(&app.visitor(), &back.token(), NEW).await.expect(204);
    let me = log_in_with(&app, "susan@example.com", NEW)
        .await
        .expect(200);
    assert_eq!(me.body["user"]["username"], "susan");
    assert_eq!(email_of(&app, "squatter").await, None);
    forgot(&app.visitor(), "thief@example.org").await;
    nothing_waits(&app).await;
    assert_eq!(smtp.mails().len(), 6, "and the notice of the reset");
}

/// F9: an address that somebody else has proven stays with them, but the intruder's goes.
#[tokio::test]
async fn an_intruder_does_not_keep_the_account_if_the_former_address_is_proven_elsewhere() {
    let (app, smtp) = with_mail(&[]).await;
    let intruder = susan(&app, &smtp).await;
    let notice = move_to(&app, &smtp, &intruder, "thief@example.org").await;
    let form = json!({"username": "susan2", "email": "susan@example.com", "password": PASSWORD});
    app.visitor().post("/api/register", form).await.expect(201);
    let form = json!({"token": token_in(&smtp, 3, "Confirm").await});
    app.visitor()
        .post("/api/email/verify", form)
        .await
        .expect(204);

    not_me(&app, &notice).await.expect(204);
    assert_eq!(email_of(&app, "susan").await, None);
    forgot(&app.visitor(), "thief@example.org").await;
    nothing_waits(&app).await;
    assert_eq!(smtp.mails().len(), 4, "nobody gets a link to it");
    // Once she has deleted the other account, the address opens this one again.
    let second = app.visitor();
    second.log_in("susan2").await.expect(200);
    second.delete("/api/me?username=susan2").await.expect(204);
    forgot(&app.visitor(), "susan@example.com").await;
    let token = token_in(&smtp, 4, "password").await;
    reset(&app.visitor(), &token, NEW).await.expect(204);
    log_in_with(&app, "susan@example.com", NEW)
        .await
        .expect(200);
}

/// F9: a second change does not make the first one final.
#[tokio::test]
async fn an_intruder_who_moves_on_loses_the_account_to_the_first_notice() {
    let (app, smtp) = with_mail(&[]).await;
    let intruder = susan(&app, &smtp).await;
    let first = move_to(&app, &smtp, &intruder, "thief@example.org").await;
    let second = move_to(&app, &smtp, &intruder, "thief@example.net").await;
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    intruder
        .post("/api/password/change", change)
        .await
        .expect(200);
    let third = token_in(&smtp, 5, "password").await;

    not_me(&app, &first).await.expect(204);
    assert_eq!(smtp.wait_for(7).await[6].to, ["susan@example.com"]);
    assert_eq!(email_of(&app, "susan").await.unwrap(), "susan@example.com");
    for later in [second, third] {
        let later = not_me(&app, &later).await;
        later.refused(410, "token_invalid_or_expired");
    }
    let token = smtp.mails()[6].token();
    reset(&app.visitor(), &token, NEW).await.expect(204);
}

#[tokio::test]
async fn not_me_ends_the_sessions_of_somebody_without_a_password_too() {
    let (app, smtp) = with_mail(&[]).await;
    let intruder = susan(&app, &smtp).await;
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    intruder
        .post("/api/password/change", change)
        .await
        .expect(200);
    let notice = token_in(&smtp, 1, "password").await;
    app.sql("update users set password_hash = null, rehashed_at = now()")
        .await;
    let form = json!({"email": "thief@example.org"});
    intruder.post("/api/email/change", form).await.expect(202);
    let change = token_in(&smtp, 2, "address").await;
    not_me(&app, &notice).await.expect(204);
    assert!(!intruder.is_logged_in().await);
    let form = json!({"token": change});
    let confirmed = app.visitor().post("/api/email/change/confirm", form).await;
    confirmed.refused(410, "token_invalid_or_expired");
    assert_eq!(
        app.count("select count(*) from users where pending_email is not null")
            .await,
        0
    );
}

/// F14: however the address is written.
#[tokio::test]
async fn a_mailbox_has_one_limit_in_every_case_that_the_database_folds() {
    let (app, smtp) = with_mail(&["--rate-limits=on"]).await;
    let form = json!({"username": "mike", "email": "mikki@example.com", "password": PASSWORD});
    app.visitor().post("/api/register", form).await.expect(201);
    for name in [
        "mikki",
        "m\u{130}kki",
        "mikk\u{130}",
        "m\u{130}kk\u{130}",
        "MIKKI",
    ] {
        for _ in 0..4 {
            forgot(&app.visitor(), &format!("{name}@example.com")).await;
            nothing_waits(&app).await;
        }
    }
    assert_eq!(smtp.mails().len(), 5);
}

/// Whoever registers a stranger's address cannot flood it by changing the password.
#[tokio::test]
async fn an_address_that_nobody_proved_gets_five_mails_an_hour() {
    let (app, smtp) = with_mail(&["--rate-limits=on"]).await;
    let squatter = app.logged_in("susan").await;
    for n in 0..8 {
        let (old, new) = if n % 2 == 0 {
            (PASSWORD, NEW)
        } else {
            (NEW, PASSWORD)
        };
        let change = json!({"current_password": old, "new_password": new});
        squatter
            .post("/api/password/change", change)
            .await
            .expect(200);
    }
    nothing_waits(&app).await;
    assert_eq!(smtp.mails().len(), 5);
}

/// F11: what the asker sees of a link to a free address must not tell it from a taken one.
#[tokio::test]
async fn an_export_does_not_tell_whether_the_new_address_is_taken() {
    let (app, smtp) = with_mail(&["--require-verified-email=on"]).await;
    let susan = susan(&app, &smtp).await;
    app.registered("miguel").await;
    let token = token_in(&smtp, 1, "Confirm").await;
    let form = json!({"token": token, "password": PASSWORD});
    app.visitor()
        .post("/api/email/verify", form)
        .await
        .expect(204);
    let mut seen = Vec::new();
    for (n, address) in ["miguel@example.com", "free@example.com"]
        .iter()
        .enumerate()
    {
        let form = json!({"email": address});
        susan.post("/api/email/change", form).await.expect(202);
        smtp.wait_for(3 + n).await;
        nothing_waits(&app).await;
        let export = susan.get("/api/me/export").await.expect(200).body;
        assert_eq!(export["user"]["pending_email"], *address);
        seen.push((export["links"].clone(), export["mails"].clone()));
    }
    assert_eq!(seen[0], seen[1]);
}

/// A mail that is sent again may go to somebody else than at first.
#[tokio::test]
async fn a_mail_whose_recipient_changes_while_it_waits_arrives() {
    let (app, smtp) = with_mail(&["--require-verified-email=on"]).await;
    let register = async |name: &str| {
        let form = json!({"username": name, "email": "susan@example.com", "password": PASSWORD});
        app.visitor().post("/api/register", form).await.expect(201);
    };
    register("first").await;
    smtp.wait_for(1).await;
    smtp.set(Mode::Greylist);
    forgot(&app.visitor(), "susan@example.com").await;
    wait_until("a link waits", async || {
        app.count("select count(*) from tokens join mails using (id) where last_error is not null")
            .await
            == 1
    })
    .await;
    register("second").await;
    smtp.set(Mode::Normal);
    app.sql("update mails set due_at = now(), claimed_until = null")
        .await;
    smtp.wait_for(3).await;
    nothing_waits(&app).await;
    let mails = smtp.mails();
    let find = |mail: &&crate::support::smtp::Received| mail.link().contains("/reset#");
    let token = mails.iter().find(find).unwrap().token();
    reset(&app.visitor(), &token, NEW).await.expect(204);
    let me = log_in_with(&app, "susan@example.com", NEW)
        .await
        .expect(200);
    assert_eq!(me.body["user"]["username"], "second");
}

#[tokio::test]
async fn proving_the_present_address_keeps_the_request_for_another() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = app.logged_in("susan").await;
    let verify = token_in(&smtp, 0, "Confirm").await;
    let form = json!({"email": "new@example.org"});
    susan.post("/api/email/change", form).await.expect(202);
    let change = token_in(&smtp, 1, "address").await;
    for (path, token) in [("verify", verify), ("change/confirm", change)] {
        let form = json!({"token": token});
        let done = app
            .visitor()
            .post(&format!("/api/email/{path}"), form)
            .await;
        done.expect(204);
    }
    assert_eq!(email_of(&app, "susan").await.unwrap(), "new@example.org");
}
