//! Proving an address, and moving to another one.

use serde_json::json;

use crate::outbox::{forgot, wait_until_empty};
use crate::recovery::{log_in_with, reset, token_in, with_mail};
use crate::support::smtp::Smtp;
use crate::support::{App, PASSWORD, Reply, Visitor, field_codes, wait_until};

const REQUIRED: &[&str] = &["--require-verified-email=on"];

async fn verify(visitor: &Visitor, token: &str) -> Reply {
    let form = json!({"token": token, "password": PASSWORD});
    visitor.post("/api/email/verify", form).await
}

async fn register(app: &App, name: &str, address: &str) -> Reply {
    let form = json!({"username": name, "email": address, "password": PASSWORD});
    app.visitor().post("/api/register", form).await
}

async fn verified(app: &App, smtp: &Smtp, name: &str) -> Visitor {
    let seen = smtp.mails().len();
    app.registered(name).await;
    let token = token_in(smtp, seen, "Confirm").await;
    verify(&app.visitor(), &token).await.expect(204);
    let visitor = app.visitor();
    visitor.log_in(name).await.expect(200);
    visitor
}

async fn confirm(app: &App, token: &str) -> Reply {
    let form = json!({"token": token});
    app.visitor().post("/api/email/change/confirm", form).await
}

async fn address_of(visitor: &Visitor) -> String {
    let me = visitor.get("/api/me").await.expect(200);
    me.body["email"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_registration_asks_for_proof_of_the_address() {
    let (app, smtp) = with_mail(&["--public-url=http://localhost:4000"]).await;
    let susan = app.logged_in("susan").await;
    let mail = &smtp.wait_for(1).await[0];
    assert!(
        mail.link()
            .starts_with("http://localhost:4000/verify#token="),
        "{}",
        mail.link()
    );
    assert_eq!(susan.get("/api/me").await.body["email_verified"], false);
    let form = json!({"token": mail.token()});
    app.visitor()
        .post("/api/email/verify", form.clone())
        .await
        .expect(204);
    let me = async || susan.get("/api/me").await.body["email_verified"] == true;
    wait_until("the session knows", me).await;
    app.visitor()
        .post("/api/email/verify", form)
        .await
        .refused(410, "token_invalid_or_expired");
    assert!(susan.is_logged_in().await, "it only verifies");
}

#[tokio::test]
async fn the_verification_is_sent_again_on_request_and_only_the_newest_works() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = app.logged_in("susan").await;
    let first = token_in(&smtp, 0, "Confirm").await;
    susan
        .post("/api/email/verify/resend", json!({}))
        .await
        .expect(202);
    let second = token_in(&smtp, 1, "Confirm").await;
    let form = json!({"email": "SUSAN@example.com"});
    app.visitor()
        .post("/api/email/verify/resend", form.clone())
        .await
        .expect(202);
    let third = token_in(&smtp, 2, "Confirm").await;
    let nobody = app
        .visitor()
        .post("/api/email/verify/resend", json!({}))
        .await;
    assert_eq!(
        field_codes(&nobody.refused(422, "validation_failed").body),
        ["email: required"]
    );
    for old in [first, second] {
        verify(&app.visitor(), &old)
            .await
            .refused(410, "token_invalid_or_expired");
    }
    verify(&app.visitor(), &third).await.expect(204);
    app.visitor()
        .post("/api/email/verify/resend", form)
        .await
        .expect(202);
    wait_until_empty(&app).await;
    assert_eq!(smtp.mails().len(), 3, "a proven address needs no mail");
}

/// F11.
#[tokio::test]
async fn where_addresses_must_be_proven_a_taken_one_looks_like_a_free_one() {
    let (app, smtp) = with_mail(REQUIRED).await;
    verified(&app, &smtp, "susan").await;
    let mut seen = Vec::new();
    for (name, address) in [
        ("taker", "susan@example.com"),
        ("freer", "free@example.com"),
    ] {
        let mut replies = Vec::new();
        let first = register(&app, name, address).await.expect(201);
        assert_eq!(first.body["email"], address);
        replies.push(first);
        replies.push(register(&app, name, address).await);
        replies.push(app.visitor().log_in(name).await);
        let other = json!({"username": address, "password": "wrong-Lamp-42-river"});
        replies.push(app.visitor().post("/api/login", other).await);
        let shape = |reply: &Reply| {
            let mut body = reply.body.clone();
            for own in ["id", "username", "email", "created_at", "request_id"] {
                body.as_object_mut().unwrap().remove(own);
            }
            (reply.status.as_u16(), body)
        };
        seen.push(replies.iter().map(shape).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1]);
    let statuses: Vec<_> = seen[0].iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [201, 422, 403, 401]);
    assert_eq!(seen[0][2].1["code"], "email_not_verified");
    log_in_with(&app, "free@example.com", PASSWORD)
        .await
        .refused(401, "invalid_credentials");

    let mails = smtp.wait_for(3).await;
    let to = |address: &str| mails[1..].iter().find(|mail| mail.to == [address]).unwrap();
    let told = to("susan@example.com");
    assert!(
        told.header("subject")
            .unwrap()
            .contains("already have an account")
    );
    assert!(!told.text().contains("#token="));
    assert!(
        to("free@example.com")
            .header("subject")
            .unwrap()
            .contains("Confirm")
    );
}

#[tokio::test]
async fn a_proof_needs_the_password_where_addresses_must_be_proven() {
    let (app, smtp) = with_mail(REQUIRED).await;
    assert_eq!(
        app.visitor().get("/api/config").await.body["require_verified_email"],
        true
    );
    register(&app, "susan", "susan@example.com")
        .await
        .expect(201);
    let token = token_in(&smtp, 0, "Confirm").await;
    let visitor = app.visitor();
    let without = visitor
        .post("/api/email/verify", json!({"token": token}))
        .await;
    assert_eq!(
        field_codes(&without.refused(422, "validation_failed").body),
        ["password: required"]
    );
    let wrong = json!({"token": token, "password": "wrong-Lamp-42-river"});
    let wrong = visitor.post("/api/email/verify", wrong).await;
    assert_eq!(
        field_codes(&wrong.refused(422, "validation_failed").body),
        ["password: incorrect"]
    );
    verify(&visitor, &token).await.expect(204);
    let me = log_in_with(&app, "susan@example.com", PASSWORD)
        .await
        .expect(200);
    assert_eq!(me.body["user"]["email_verified"], true);
}

#[tokio::test]
async fn two_who_ask_for_one_address_get_a_link_each_and_the_first_proof_counts() {
    let (app, smtp) = with_mail(REQUIRED).await;
    register(&app, "stranger", "susan@example.com")
        .await
        .expect(201);
    register(&app, "susan", "susan@example.com")
        .await
        .expect(201);
    let mails = smtp.wait_for(2).await;
    let resend = json!({"email": "susan@example.com"});
    app.visitor()
        .post("/api/email/verify/resend", resend)
        .await
        .expect(202);
    let again = smtp.wait_for(4).await;
    for old in &mails {
        verify(&app.visitor(), &old.token())
            .await
            .refused(410, "token_invalid_or_expired");
    }
    let (first, second) = (again[2].token(), again[3].token());
    verify(&app.visitor(), &first).await.expect(204);
    verify(&app.visitor(), &second)
        .await
        .refused(410, "token_invalid_or_expired");
    assert_eq!(
        app.count("select count(*) from users where email = 'susan@example.com'")
            .await,
        1
    );
}

#[tokio::test]
async fn names_that_nobody_proved_are_free_after_a_week() {
    let (app, smtp) = with_mail(REQUIRED).await;
    verified(&app, &smtp, "miguel").await;
    register(&app, "susan", "susan@example.com")
        .await
        .expect(201);
    app.sql("update users set created_at = now() - interval '8 days'")
        .await;
    let purge = async |app: &App| {
        let users = latchkey::store::expiry::Expiring::UnprovenUsers;
        let db = &app.services.db;
        db.run(async |conn| users.delete(conn, None, 100).await)
            .await
            .unwrap();
    };
    wait_until("it is gone", async || {
        purge(&app).await;
        app.count("select count(*) from users").await == 1
    })
    .await;
    register(&app, "susan", "other@example.com")
        .await
        .expect(201);
}

#[tokio::test]
async fn a_forgotten_password_of_an_unproven_account_proves_it() {
    let (app, smtp) = with_mail(REQUIRED).await;
    register(&app, "susan", "susan@example.com")
        .await
        .expect(201);
    smtp.wait_for(1).await;
    forgot(&app.visitor(), "susan@example.com").await;
    let token = token_in(&smtp, 1, "password").await;
    reset(&app.visitor(), &token, "seven-Boats-under-9-moons")
        .await
        .expect(204);
    let me = log_in_with(&app, "susan@example.com", "seven-Boats-under-9-moons")
        .await
        .expect(200);
    assert_eq!(me.body["user"]["email_verified"], true);
}

/// F9.
#[tokio::test]
async fn an_address_changes_when_the_new_one_is_proven_and_can_be_taken_back() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = verified(&app, &smtp, "susan").await;
    let form = json!({"email": "thief@example.org"});
    susan.post("/api/email/change", form).await.expect(202);
    let change = token_in(&smtp, 1, "address").await;
    assert_eq!(smtp.mails()[1].to, ["thief@example.org"]);
    assert_eq!(address_of(&susan).await, "susan@example.com");
    log_in_with(&app, "susan@example.com", PASSWORD)
        .await
        .expect(200);
    log_in_with(&app, "thief@example.org", PASSWORD)
        .await
        .refused(401, "invalid_credentials");
    forgot(&app.visitor(), "susan@example.com").await;
    let old_reset = token_in(&smtp, 2, "password").await;

    confirm(&app, &change).await.expect(204);
    confirm(&app, &change)
        .await
        .refused(410, "token_invalid_or_expired");
    wait_until("the session knows", async || {
        address_of(&susan).await == "thief@example.org"
    })
    .await;
    let old_reset = reset(&app.visitor(), &old_reset, "seven-Boats-under-9-moons").await;
    old_reset.refused(410, "token_invalid_or_expired");
    let notice = &smtp.wait_for(4).await[3];
    assert_eq!(notice.to, ["susan@example.com"], "the old address is told");

    let not_me = json!({"token": notice.token()});
    app.visitor()
        .post("/api/account/not-me", not_me)
        .await
        .expect(204);
    assert!(!susan.is_logged_in().await);
    let way_back = &smtp.wait_for(5).await[4];
    assert_eq!(way_back.to, ["susan@example.com"]);
    reset(
        &app.visitor(),
        &way_back.token(),
        "seven-Boats-under-9-moons",
    )
    .await
    .expect(204);
    let me = log_in_with(&app, "susan@example.com", "seven-Boats-under-9-moons")
        .await
        .expect(200);
    assert_eq!(me.body["user"]["email_verified"], true);
}

#[tokio::test]
async fn after_three_days_not_me_leaves_the_address_and_writes_to_it() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = verified(&app, &smtp, "susan").await;
    susan
        .post("/api/email/change", json!({"email": "new@example.org"}))
        .await
        .expect(202);
    let change = token_in(&smtp, 1, "address").await;
    confirm(&app, &change).await.expect(204);
    let not_me = token_in(&smtp, 2, "changed").await;
    app.sql("update tokens set created_at = created_at - interval '73 hours'")
        .await;
    let form = json!({"token": not_me});
    app.visitor()
        .post("/api/account/not-me", form)
        .await
        .expect(204);
    assert!(!susan.is_logged_in().await);
    assert_eq!(smtp.wait_for(4).await[3].to, ["new@example.org"]);
}

#[tokio::test]
async fn a_taken_address_cannot_be_moved_to_and_its_owner_hears_of_it() {
    let (app, smtp) = with_mail(&[]).await;
    verified(&app, &smtp, "miguel").await;
    let susan = verified(&app, &smtp, "susan").await;
    let form = json!({"email": "Miguel@example.com"});
    susan.post("/api/email/change", form).await.expect(202);
    let mail = &smtp.wait_for(3).await[2];
    assert_eq!(mail.to, ["miguel@example.com"]);
    assert!(!mail.text().contains("#token="));

    // Taken between the mail and the click.
    susan
        .post("/api/email/change", json!({"email": "late@example.com"}))
        .await
        .expect(202);
    let change = token_in(&smtp, 3, "address").await;
    register(&app, "late", "late@example.com").await.expect(201);
    let late = confirm(&app, &change).await;
    late.refused(410, "token_invalid_or_expired");
    assert_eq!(address_of(&susan).await, "susan@example.com");
}

#[tokio::test]
async fn moving_needs_a_recent_login_and_a_good_address() {
    let (app, smtp) = with_mail(&["--reauth-for=1s"]).await;
    let susan = verified(&app, &smtp, "susan").await;
    let bad = susan
        .post("/api/email/change", json!({"email": "susan"}))
        .await;
    assert_eq!(
        field_codes(&bad.refused(422, "validation_failed").body),
        ["email: invalid"]
    );
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let form = json!({"email": "new@example.org"});
    let stale = susan.post("/api/email/change", form.clone()).await;
    assert_eq!(
        stale.refused(403, "reauthentication_required").body["max_age"],
        1
    );
    let form_password = json!({"password": PASSWORD});
    susan
        .post("/api/reauthenticate", form_password)
        .await
        .expect(200);
    susan.post("/api/email/change", form).await.expect(202);
}

/// F1: whoever asks for an address does not learn whether it is taken.
#[tokio::test]
async fn asking_for_another_address_answers_alike_for_every_address() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = verified(&app, &smtp, "susan").await;
    app.registered("miguel").await;
    app.registered("ada").await;
    app.sql("update users set disabled_at = now() where username = 'ada'")
        .await;
    let mut answers = Vec::new();
    for name in ["miguel", "ada", "nobody", "susan"] {
        let form = json!({"email": format!("{name}@example.com")});
        let reply = susan.post("/api/email/change", form).await.expect(202);
        answers.push(reply.body);
    }
    assert!(
        answers.windows(2).all(|two| two[0] == two[1]),
        "{answers:?}"
    );
}

/// Whoever has a session moves the account twice, and registers the address that it left.
#[tokio::test]
async fn not_me_takes_the_address_back_from_whoever_covers_their_tracks() {
    let (app, smtp) = with_mail(&[]).await;
    let thief = verified(&app, &smtp, "susan").await;
    let form = json!({"current_password": PASSWORD, "new_password": "nine-Kites-over-31-roofs"});
    thief.post("/api/password/change", form).await.expect(200);
    let first = token_in(&smtp, 1, "password").await;
    for (seen, address) in [(2, "thief@example.org"), (4, "other@example.org")] {
        let form = json!({"email": address});
        thief.post("/api/email/change", form).await.expect(202);
        let change = token_in(&smtp, seen, "address").await;
        confirm(&app, &change).await.expect(204);
        smtp.wait_for(seen + 2).await;
    }
    register(&app, "squatter", "susan@example.com")
        .await
        .expect(201);
    smtp.wait_for(7).await;

    let form = json!({"token": first});
    let not_me = app.visitor().post("/api/account/not-me", form).await;
    not_me.expect(204);
    let way_back = &smtp.wait_for(8).await[7];
    assert_eq!(way_back.to, ["susan@example.com"]);
    let new = "seven-Boats-under-9-moons";
    reset(&app.visitor(), &way_back.token(), new)
        .await
        .expect(204);
    let me = log_in_with(&app, "susan@example.com", new)
        .await
        .expect(200);
    assert_eq!(me.body["user"]["username"], "susan");
    assert!(!thief.is_logged_in().await);
    log_in_with(&app, "squatter", PASSWORD).await.expect(200);
}
