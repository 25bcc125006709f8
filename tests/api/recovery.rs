//! A forgotten password, and "this was not me": from the request over the mail to the new login.

use serde_json::json;

use crate::outbox::{forgot, wait_until_empty};
use crate::support::smtp::Smtp;
use crate::support::{App, PASSWORD, Reply, Visitor, at_once, field_codes, wait_until};

const NEW: &str = "seven-Boats-under-9-moons";

/// A server that mails to this machine, with these flags.
pub async fn with_mail(flags: &[&str]) -> (App, Smtp) {
    let smtp = Smtp::start().await;
    (App::with_mail(&smtp, flags).await, smtp)
}

/// The token of the next mail whose subject contains `what`, after `seen` mails.
pub async fn token_in(smtp: &Smtp, seen: usize, what: &str) -> String {
    let mails = smtp.wait_for(seen + 1).await;
    let mail = &mails[seen];
    let subject = mail.header("subject").unwrap();
    assert!(subject.contains(what), "{subject}");
    mail.token()
}

pub async fn reset(visitor: &Visitor, token: &str, password: &str) -> Reply {
    let form = json!({"token": token, "password": password});
    visitor.post("/api/password/reset", form).await
}

pub async fn log_in_with(app: &App, name: &str, password: &str) -> Reply {
    let form = json!({"username": name, "password": password});
    app.visitor().post("/api/login", form).await
}

/// Susan, logged in, whose verification mail has arrived.
async fn susan(app: &App, smtp: &Smtp) -> Visitor {
    let susan = app.logged_in("susan").await;
    smtp.wait_for(1).await;
    susan
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_mail() {
    let (app, smtp) = with_mail(&[]).await;
    let other = app.sibling(&[]).await;
    let susan = susan(&app, &smtp).await;
    let elsewhere = susan.at(other.address);
    assert!(elsewhere.is_logged_in().await);
    forgot(&app.visitor(), "Susan@Example.com").await;
    let token = token_in(&smtp, 1, "password").await;
    assert_eq!(smtp.mails()[1].to, ["susan@example.com"], "as stored");

    let visitor = app.visitor();
    let weak = reset(&visitor, &token, "short").await;
    assert_eq!(
        field_codes(&weak.refused(422, "validation_failed").body),
        ["password: too_short"]
    );
    let twice = json!({"token": token, "password": NEW, "password2": "another"});
    let twice = visitor.post("/api/password/reset", twice).await;
    assert_eq!(field_codes(&twice.body), ["password2: mismatch"]);
    let done = reset(&visitor, &token, NEW).await.expect(204);
    assert!(
        done.cookie("latchkey_session").is_none(),
        "nobody is logged in"
    );
    assert!(!visitor.is_logged_in().await);

    assert!(!susan.is_logged_in().await, "old sessions are over");
    wait_until("the other instance knows", async || {
        !elsewhere.is_logged_in().await
    })
    .await;
    log_in_with(&app, "susan", PASSWORD)
        .await
        .refused(401, "invalid_credentials");
    log_in_with(&app, "susan", NEW).await.expect(200);
    reset(&visitor, &token, "another-Lamp-17-sea")
        .await
        .refused(410, "token_invalid_or_expired");

    let notice = &smtp.wait_for(3).await[2];
    assert_eq!(notice.to, ["susan@example.com"], "the change is told");
    assert!(
        notice.link().contains("/not-me#token="),
        "{}",
        notice.link()
    );
}

#[tokio::test]
async fn a_reset_proves_the_address_and_is_in_the_log_of_the_user() {
    let (app, smtp) = with_mail(&[]).await;
    susan(&app, &smtp).await;
    forgot(&app.visitor(), "susan@example.com").await;
    let token = token_in(&smtp, 1, "password").await;
    reset(&app.visitor(), &token, NEW).await.expect(204);
    let susan = app.visitor();
    let form = json!({"username": "susan", "password": NEW});
    let me = susan.post("/api/login", form).await.expect(200);
    assert_eq!(me.body["user"]["email_verified"], true, "{}", me.body);
    let events = susan.get("/api/me/events").await.expect(200);
    let reset = &events.body["events"][1];
    assert_eq!(reset["kind"], "password_reset");
    assert_eq!(
        (&reset["actor_id"], &reset["details"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn one_token_works_once_and_the_newest_wins() {
    let (app, smtp) = with_mail(&[]).await;
    susan(&app, &smtp).await;
    forgot(&app.visitor(), "susan@example.com").await;
    let old = token_in(&smtp, 1, "password").await;
    forgot(&app.visitor(), "susan@example.com").await;
    let token = token_in(&smtp, 2, "password").await;
    assert_ne!(old, token);
    reset(&app.visitor(), &old, NEW)
        .await
        .refused(410, "token_invalid_or_expired");
    let visitor = app.visitor();
    let tries = at_once(50, async |_| reset(&visitor, &token, NEW).await).await;
    let statuses = tries.replies.iter().map(|reply| reply.status.as_u16());
    let done = statuses.clone().filter(|status| *status == 204).count();
    let gone = statuses.filter(|status| *status == 410).count();
    assert_eq!((done, gone), (1, 49));
}

#[tokio::test]
async fn a_token_is_good_for_one_thing_and_one_hour() {
    let (app, smtp) = with_mail(&[]).await;
    susan(&app, &smtp).await;
    let verify = smtp.mails()[0].token();
    forgot(&app.visitor(), "susan@example.com").await;
    let token = token_in(&smtp, 1, "password").await;
    let visitor = app.visitor();
    let half = &token[..32];
    for bad in [
        "",
        "x",
        half,
        &token.to_uppercase(),
        &token.repeat(2),
        &verify,
        &format!("{token}\0"),
        &"0".repeat(64),
    ] {
        reset(&visitor, bad, NEW)
            .await
            .refused(410, "token_invalid_or_expired");
    }
    for path in [
        "/api/email/verify",
        "/api/email/change/confirm",
        "/api/account/not-me",
    ] {
        let form = json!({"token": token});
        visitor
            .post(path, form)
            .await
            .refused(410, "token_invalid_or_expired");
        let missing = visitor.post(path, json!({"token": 7})).await;
        assert_eq!(
            field_codes(&missing.refused(422, "validation_failed").body),
            ["token: invalid"]
        );
    }
    app.sql("update tokens set expires_at = now() where kind = 'reset'")
        .await;
    reset(&visitor, &token, NEW)
        .await
        .refused(410, "token_invalid_or_expired");
}

/// F1: what a stranger sees.
#[tokio::test]
async fn forgot_and_resend_answer_alike_for_every_address() {
    let (app, _smtp) = with_mail(&[]).await;
    app.registered("susan").await;
    app.registered("miguel").await;
    app.sql("update users set disabled_at = now() where username = 'miguel'")
        .await;
    for path in ["/api/password/forgot", "/api/email/verify/resend"] {
        let mut answers = Vec::new();
        for name in ["susan", "miguel", "nobody"] {
            let form = json!({"email": format!("{name}@example.com")});
            let reply = app.visitor().post(path, form).await.expect(202);
            let mut headers = reply.headers.clone();
            headers.remove("x-request-id");
            headers.remove("date");
            answers.push((reply.body, headers));
        }
        assert!(
            answers.windows(2).all(|two| two[0] == two[1]),
            "{answers:?}"
        );
    }
}

#[tokio::test]
async fn nobody_but_the_owner_gets_a_mail() {
    let (app, smtp) = with_mail(&[]).await;
    let form = json!({"username": "mike", "email": "mike@example.org", "password": PASSWORD});
    app.visitor().post("/api/register", form).await.expect(201);
    smtp.wait_for(1).await;
    app.registered("miguel").await;
    smtp.wait_for(2).await;
    app.sql("update users set disabled_at = now() where username = 'miguel'")
        .await;
    // Dotless i, full width: F8.
    for lookalike in [
        "m\u{131}ke@example.org",
        "\u{ff4d}ike@example.org",
        "nobody@example.org",
        "miguel@example.com",
    ] {
        forgot(&app.visitor(), lookalike).await;
    }
    forgot(&app.visitor(), "MIKE@EXAMPLE.ORG").await;
    let mails = smtp.wait_for(3).await;
    assert_eq!(mails[2].to, ["mike@example.org"]);
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 3);
}

/// F10: whoever registered the address first keeps nothing.
#[tokio::test]
async fn the_first_proof_of_a_mailbox_shuts_out_whoever_registered_it() {
    let (app, smtp) = with_mail(&[]).await;
    let squatter = app.logged_in("squatter").await;
    smtp.wait_for(1).await;
    let change = json!({"email": "other@example.com"});
    squatter.post("/api/email/change", change).await.expect(202);
    let change = token_in(&smtp, 1, "address").await;
    forgot(&app.visitor(), "squatter@example.com").await;
    let token = token_in(&smtp, 2, "password").await;
    reset(&app.visitor(), &token, NEW).await.expect(204);
    assert!(!squatter.is_logged_in().await);
    log_in_with(&app, "squatter", PASSWORD)
        .await
        .refused(401, "invalid_credentials");
    let confirm = json!({"token": change});
    let confirm = app
        .visitor()
        .post("/api/email/change/confirm", confirm)
        .await;
    confirm.refused(410, "token_invalid_or_expired");
    let owner = log_in_with(&app, "squatter@example.com", NEW)
        .await
        .expect(200);
    assert_eq!(owner.body["user"]["email"], "squatter@example.com");
}

/// F12.
#[tokio::test]
async fn not_me_locks_everyone_out_and_mails_a_way_back() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    susan.post("/api/password/change", change).await.expect(200);
    let not_me = token_in(&smtp, 1, "password").await;
    let reset_before = {
        forgot(&app.visitor(), "susan@example.com").await;
        token_in(&smtp, 2, "password").await
    };
    let visitor = app.visitor();
    let form = json!({"token": not_me});
    assert_eq!(
        visitor
            .get(&format!("/api/account/not-me?token={not_me}"))
            .await
            .status,
        405
    );
    assert!(
        susan.is_logged_in().await,
        "F7: reading a link changes nothing"
    );
    visitor
        .post("/api/account/not-me", form.clone())
        .await
        .expect(204);
    assert!(!susan.is_logged_in().await);
    for password in [PASSWORD, NEW] {
        log_in_with(&app, "susan", password)
            .await
            .refused(401, "invalid_credentials");
    }
    reset(&visitor, &reset_before, NEW)
        .await
        .refused(410, "token_invalid_or_expired");
    visitor
        .post("/api/account/not-me", form)
        .await
        .refused(410, "token_invalid_or_expired");
    let token = token_in(&smtp, 3, "password").await;
    assert_eq!(smtp.mails()[3].to, ["susan@example.com"]);
    reset(&visitor, &token, "another-Lamp-17-sea")
        .await
        .expect(204);
    let back = log_in_with(&app, "susan", "another-Lamp-17-sea")
        .await
        .expect(200);
    assert_eq!(back.body["user"]["username"], "susan");
}

#[tokio::test]
async fn a_disabled_account_stays_closed() {
    let (app, smtp) = with_mail(&[]).await;
    susan(&app, &smtp).await;
    forgot(&app.visitor(), "susan@example.com").await;
    let token = token_in(&smtp, 1, "password").await;
    app.sql("update users set disabled_at = now()").await;
    reset(&app.visitor(), &token, NEW)
        .await
        .refused(410, "token_invalid_or_expired");
}

#[tokio::test]
async fn somebody_without_a_password_chooses_one_after_a_recent_login() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let methods = susan.get("/api/login-methods").await.expect(200);
    assert_eq!(methods.body["password"], true);
    let missing = susan
        .post("/api/password/change", json!({"new_password": NEW}))
        .await;
    assert_eq!(
        field_codes(&missing.refused(422, "validation_failed").body),
        ["current_password: required"]
    );
    // As if this login had needed none.
    app.sql("update users set password_hash = null, rehashed_at = now()")
        .await;
    let methods = susan.get("/api/login-methods").await.expect(200);
    assert_eq!(methods.body["password"], false);
    app.sql("update sessions set authenticated_at = now() - interval '1 hour'")
        .await;
    wait_until("the session is read again", async || {
        let me = susan.get("/api/me").await.body;
        me["session"]["authenticated_at"] != me["session"]["created_at"]
    })
    .await;
    let form = json!({"new_password": NEW});
    let stale = susan.post("/api/password/change", form.clone()).await;
    stale.refused(403, "reauthentication_required");
    app.sql("update sessions set authenticated_at = now()")
        .await;
    wait_until("the password is chosen", async || {
        susan
            .post("/api/password/change", form.clone())
            .await
            .status
            == 200
    })
    .await;
    log_in_with(&app, "susan", NEW).await.expect(200);
}
