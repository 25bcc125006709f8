//! Logging in with a passkey, as a second factor, and proving again who one is.

use reqwest::Method;
use serde_json::{Value, json};

use crate::outbox::wait_until_empty;
use crate::passkeys::{list, remove};
use crate::support::authenticator::Authenticator;
use crate::support::smtp::Smtp;
use crate::support::{App, PASSWORD, Visitor, field_codes, send, wait_until};

/// A visitor who has logged in, with a passkey.
async fn with_passkey(app: &App, name: &str) -> (Visitor, Authenticator) {
    let visitor = app.logged_in(name).await;
    let device = visitor.add_passkey().await;
    (visitor, device)
}

/// The same with the second factor on.
async fn with_second_factor(app: &App, name: &str) -> (Visitor, Authenticator) {
    let (visitor, device) = with_passkey(app, name).await;
    let on = visitor
        .post("/api/second-factor", json!({}))
        .await
        .expect(200);
    assert_eq!(on.body["recovery_codes"].as_array().unwrap().len(), 10);
    (visitor, device)
}

async fn session(visitor: &Visitor) -> Value {
    visitor.get("/api/me").await.expect(200).body["session"].clone()
}

#[tokio::test]
async fn a_passkey_logs_in_without_a_name_and_is_two_factors() {
    let app = App::start().await;
    let (susan, mut device) = with_passkey(&app, "susan").await;
    let visitor = app.visitor();
    let options = visitor.passkey_options("login").await;
    assert_eq!(options["allowCredentials"], json!([]));
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["rpId"], "localhost");
    assert_eq!(options.get("mediation"), None);
    let form =
        json!({"credential": device.sign(&options), "remember_me": true, "next": "/profile"});
    let reply = visitor
        .post("/api/passkeys/authentication/verify", form)
        .await;
    let reply = reply.expect(200);
    assert!(
        reply
            .cookie("latchkey_session")
            .unwrap()
            .contains("Max-Age")
    );
    assert_eq!(reply.body["user"]["username"], "susan");
    assert_eq!(reply.body["redirect_to"], "/profile");
    let session = session(&visitor).await;
    assert_eq!(session["methods"], json!(["passkey"]));
    assert_eq!(
        (&session["factors"], &session["remembered"]),
        (&json!(2), &json!(true))
    );
    visitor
        .get("/api/verify?factors=2&fresh=1")
        .await
        .expect(204);
    assert_ne!(
        list(&susan).await["passkeys"][0]["last_used_at"],
        Value::Null
    );
    // Fresh, too.
    visitor.get("/api/me/export").await.expect(200);
    visitor
        .log_in_with_passkey(&mut device)
        .await
        .refused(409, "already_authenticated");
}

#[tokio::test]
async fn a_login_with_a_passkey_asks_for_no_second_factor_and_one_with_a_password_does() {
    let app = App::start().await;
    let (_, mut device) = with_second_factor(&app, "susan").await;
    app.visitor()
        .log_in_with_passkey(&mut device)
        .await
        .expect(200);
    let visitor = app.visitor();
    let asked = visitor
        .log_in("susan")
        .await
        .refused(401, "second_factor_required");
    assert_eq!(asked.body["methods"], json!(["passkey", "recovery_code"]));
    assert!(!visitor.is_logged_in().await);
    let options = visitor.passkey_options("second_factor").await;
    let allowed = options["allowCredentials"].as_array().unwrap();
    assert_eq!(allowed.len(), 1);
    let form = json!({"credential": device.sign(&options)});
    let done = visitor
        .post("/api/login/second-factor", form)
        .await
        .expect(200);
    assert_eq!(
        done.body["session"]["methods"],
        json!(["password", "passkey"])
    );
    assert_eq!(done.body["session"]["factors"], 2);
}

#[tokio::test]
async fn a_second_factor_is_the_passkey_of_whoever_knew_the_password() {
    let app = App::start().await;
    let (_, mut theirs) = with_second_factor(&app, "susan").await;
    let (_, mut other) = with_passkey(&app, "miguel").await;
    let visitor = app.visitor();
    visitor
        .log_in("susan")
        .await
        .refused(401, "second_factor_required");
    let finish = async |credential: Value| {
        let form = json!({"credential": credential});
        visitor.post("/api/login/second-factor", form).await
    };
    let options = visitor.passkey_options("second_factor").await;
    finish(other.sign(&options))
        .await
        .refused(401, "invalid_passkey");
    let options = visitor.passkey_options("second_factor").await;
    let lied = other.sign_lying(&options, |said| {
        said.user_handle = Some(theirs.user_handle.clone());
        said.credential_id = theirs.credential_id.clone();
    });
    finish(lied).await.refused(401, "invalid_passkey");
    // That of a login is not good for the second step, and the other way round.
    let options = visitor.passkey_options("login").await;
    finish(theirs.sign(&options))
        .await
        .refused(410, "challenge_expired");
    let options = visitor.passkey_options("second_factor").await;
    let elsewhere = app.visitor().send_passkey(&theirs.sign(&options)).await;
    elsewhere.refused(410, "challenge_expired");
    // Another step of the same person.
    let options = visitor.passkey_options("second_factor").await;
    let stranger = app.visitor();
    stranger
        .log_in("susan")
        .await
        .refused(401, "second_factor_required");
    let form = json!({"credential": theirs.sign(&options)});
    let refused = stranger.post("/api/login/second-factor", form).await;
    refused.refused(410, "challenge_expired");
    let both = json!({"credential": theirs.sign(&options), "code": "123456"});
    let both = visitor.post("/api/login/second-factor", both).await;
    assert_eq!(field_codes(&both.body), ["credential: invalid"]);

    let step = visitor.get("/api/login/step").await.expect(200);
    assert_eq!(step.body["tries_left"], 5, "no signature spends a try");
    let options = visitor.passkey_options("second_factor").await;
    finish(theirs.sign(&options)).await.expect(200);
    assert!(visitor.is_logged_in().await);
}

#[tokio::test]
async fn options_for_the_second_factor_need_a_step_and_for_reauthentication_a_session() {
    let app = App::start().await;
    let visitor = app.visitor();
    let ask = async |what: Value| {
        let form = json!({"for": what});
        visitor
            .post("/api/passkeys/authentication/options", form)
            .await
    };
    ask(json!("second_factor"))
        .await
        .refused(410, "step_expired");
    ask(json!("reauthenticate"))
        .await
        .refused(401, "not_authenticated");
    for wrong in [json!("registration"), json!(1)] {
        ask(wrong).await.refused(422, "validation_failed");
    }
    ask(Value::Null).await.expect(200);
}

/// A session that was fresh a day ago, and began with one factor.
async fn aged(app: &App, device: &mut Authenticator) -> Visitor {
    let aged = app.visitor();
    aged.log_in_with_passkey(device).await.expect(200);
    app.sql("update sessions set authenticated_at = now() - interval '1 day', factors = 1")
        .await;
    wait_until("the login is old", async || {
        aged.get("/api/me/export").await.status == 403
    })
    .await;
    aged
}

#[tokio::test]
async fn only_the_users_own_passkey_makes_their_session_fresh() {
    let app = App::start().await;
    let (susan, mut device) = with_second_factor(&app, "susan").await;
    let (_, mut other) = with_passkey(&app, "miguel").await;
    let aged = aged(&app, &mut device).await;
    let send_again = async |credential: Value| {
        aged.post("/api/reauthenticate", json!({"credential": credential}))
            .await
    };
    let options = aged.passkey_options("reauthenticate").await;
    let refused = send_again(other.sign(&options)).await;
    assert_eq!(
        field_codes(&refused.refused(422, "validation_failed").body),
        ["credential: incorrect"]
    );
    send_again(device.sign(&options))
        .await
        .refused(410, "challenge_expired");
    let options = susan.passkey_options("reauthenticate").await;
    send_again(device.sign(&options))
        .await
        .refused(410, "challenge_expired");
    let options = aged.passkey_options("reauthenticate").await;
    let lied = device.sign_lying(&options, |said| said.user_verified = false);
    let refused = send_again(lied).await;
    assert_eq!(field_codes(&refused.body), ["credential: incorrect"]);

    assert_eq!(aged.get("/api/me/export").await.status, 403);
}

#[tokio::test]
async fn a_passkey_makes_a_session_fresh_under_a_new_key() {
    let app = App::start().await;
    let (_, mut device) = with_second_factor(&app, "susan").await;
    let aged = aged(&app, &mut device).await;
    let refused = aged.get("/api/me/export").await;
    let refused = refused.refused(403, "reauthentication_required");
    let ways = json!(["password", "passkey", "recovery_code"]);
    assert_eq!(refused.body["methods"], ways);

    let options = aged.passkey_options("reauthenticate").await;
    assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 1);
    let credential = device.sign(&options);
    let both = json!({"credential": credential, "password": PASSWORD});
    let both = aged.post("/api/reauthenticate", both).await;
    assert_eq!(field_codes(&both.body)[0], "credential: invalid");
    let before = session(&aged).await;
    let form = json!({"credential": credential});
    let done = aged.post("/api/reauthenticate", form).await.expect(200);
    assert!(done.cookie("latchkey_session").is_some());
    aged.get("/api/me/export").await.expect(200);
    let renewed = session(&aged).await;
    assert_eq!(renewed["methods"], json!(["passkey"]));
    assert_eq!(renewed["factors"], 2);
    assert_eq!(renewed["id"], before["id"]);
    assert_ne!(renewed["authenticated_at"], before["authenticated_at"]);
}

/// H4.
#[tokio::test]
async fn options_for_a_login_are_the_same_for_everybody() {
    let app = App::start().await;
    let without_challenge = |mut options: Value| {
        let challenge = options["challenge"].take();
        assert_eq!(challenge.as_str().unwrap().len(), 43);
        options
    };
    let before = without_challenge(app.visitor().passkey_options("login").await);
    let (susan, _) = with_passkey(&app, "susan").await;
    for visitor in [&app.visitor(), &susan] {
        let form = json!({"for": "login", "username": "susan"});
        let asked = visitor
            .post("/api/passkeys/authentication/options", form)
            .await;
        let options = asked.expect(200).body["options"].clone();
        assert_eq!(without_challenge(options), before);
    }
}

/// H6.
#[tokio::test]
async fn a_counter_that_does_not_go_forward_is_refused_recorded_and_told() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &["--rate-limits=on"]).await;
    let (susan, mut device) = with_passkey(&app, "susan").await;
    device.counter = Some(7);
    app.visitor()
        .log_in_with_passkey(&mut device)
        .await
        .expect(200);
    wait_until_empty(&app).await;
    let before = smtp.mails().len();
    for count in [8, 3, 0] {
        let visitor = app.visitor();
        let options = visitor.passkey_options("login").await;
        let again = device.sign_lying(&options, |said| said.counter = count);
        let refused = visitor.send_passkey(&again).await;
        refused.refused(401, "invalid_passkey");
        assert!(!visitor.is_logged_in().await);
    }
    let events = susan.get("/api/me/events").await.expect(200).body;
    let refused = &events["events"][0];
    assert_eq!(refused["kind"], "passkey_refused");
    assert_eq!(refused["details"], json!({"reason": "counter"}));
    wait_until_empty(&app).await;
    let mails = smtp.mails();
    assert_eq!(mails.len(), before + 1, "told once a day");
    let mail = mails.last().unwrap();
    assert!(
        mail.header("subject")
            .unwrap()
            .contains("may have been copied")
    );
    assert!(mail.link().contains("/not-me#token="));
}

/// H6.
#[tokio::test]
async fn a_device_that_does_not_count_passes_and_one_that_stops_does_not() {
    let app = App::start().await;
    let (_, mut device) = with_passkey(&app, "susan").await;
    device.counter = None;
    for _ in 0..3 {
        app.visitor()
            .log_in_with_passkey(&mut device)
            .await
            .expect(200);
    }
    device.counter = Some(0);
    app.visitor()
        .log_in_with_passkey(&mut device)
        .await
        .expect(200);
    device.counter = None;
    let refused = app.visitor().log_in_with_passkey(&mut device).await;
    refused.refused(401, "invalid_passkey");
}

#[tokio::test]
async fn a_passkey_may_begin_to_be_synced_but_not_to_be_syncable() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let options = susan.passkey_options("registration").await;
    let (mut device, credential) = Authenticator::create_lying(&options, |device, said| {
        device.synced = true;
        said.backup_eligible = true;
    });
    let added = susan.register_passkey(&credential).await.expect(201);
    assert_eq!(added.body["synced"], false);
    app.visitor()
        .log_in_with_passkey(&mut device)
        .await
        .expect(200);
    assert_eq!(list(&susan).await["passkeys"][0]["synced"], true);
    for (eligible, backed_up) in [(false, false), (false, true)] {
        let visitor = app.visitor();
        let options = visitor.passkey_options("login").await;
        let lied = device.sign_lying(&options, |said| {
            (said.backup_eligible, said.backed_up) = (eligible, backed_up);
        });
        visitor
            .send_passkey(&lied)
            .await
            .refused(401, "invalid_passkey");
    }
    let mut bound = susan.add_passkey().await;
    for what in ["login", "reauthenticate"] {
        let options = susan.passkey_options(what).await;
        let lied = bound.sign_lying(&options, |said| said.backup_eligible = true);
        let refused = match what {
            "login" => app.visitor().send_passkey(&lied).await,
            _ => {
                susan
                    .post("/api/reauthenticate", json!({"credential": lied}))
                    .await
            }
        };
        assert!(
            [401, 422].contains(&refused.status.as_u16()),
            "{what}: {}",
            refused.body
        );
    }
}

/// H8.
#[tokio::test]
async fn a_removed_passkey_is_dead_at_the_next_request_on_every_instance() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    let (susan, mut device) = with_passkey(&app, "susan").await;
    let elsewhere = Visitor::new(sibling.address);
    let options = elsewhere.passkey_options("login").await;
    let id = list(&susan).await["passkeys"][0]["id"].clone();
    remove(&susan, &id).await.expect(200);
    let refused = elsewhere.send_passkey(&device.sign(&options)).await;
    refused.refused(401, "unknown_passkey");
    assert_eq!(
        list(&susan.at(sibling.address)).await["passkeys"],
        json!([])
    );
    for app in [&app, &sibling] {
        let refused = app.visitor().log_in_with_passkey(&mut device).await;
        refused.refused(401, "unknown_passkey");
    }
}

/// H10.
#[tokio::test]
async fn the_passkey_of_a_disabled_user_opens_nothing() {
    let app = App::start().await;
    let (_, mut device) = with_passkey(&app, "susan").await;
    app.sql("update users set disabled_at = now()").await;
    let visitor = app.visitor();
    let refused = visitor.log_in_with_passkey(&mut device).await;
    refused.refused(403, "account_disabled");
    assert!(!visitor.is_logged_in().await);
    assert_eq!(app.count("select count(*) from sessions").await, 0);
    app.sql("update users set disabled_at = null").await;
    visitor.log_in_with_passkey(&mut device).await.expect(200);
}

#[tokio::test]
async fn a_passkey_does_not_stand_for_an_address_that_must_be_verified() {
    let app = App::start().await;
    let (_, mut device) = with_passkey(&app, "susan").await;
    let strict = app.sibling(&["--require-verified-email=on"]).await;
    let refused = strict.visitor().log_in_with_passkey(&mut device).await;
    refused.refused(403, "email_not_verified");
}

/// H11.
#[tokio::test]
async fn passkeys_of_another_domain_are_kept_and_shown_but_never_offered() {
    let app = App::start().await;
    let (susan, _) = with_passkey(&app, "susan").await;
    let moved = app.sibling(&["--public-url=https://login.example"]).await;
    let susan = susan.at(moved.address);
    let logged_in = susan.log_in("susan").await.expect(200);
    // The client has no https, so it would not send it.
    let cookie = logged_in.cookie("__Host-latchkey_session").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let get = async |path: &str| {
        send(susan.request(Method::GET, path).header("cookie", cookie))
            .await
            .expect(200)
            .body
    };
    let post = async |path: &str, form: Value| {
        let asked = susan.request(Method::POST, path).header("cookie", cookie);
        send(asked.json(&form)).await
    };
    let listed = get("/api/passkeys").await;
    assert_eq!(listed["rp_id"], "login.example");
    assert_eq!(listed["passkeys"][0]["usable"], false);
    assert_eq!(get("/api/login-methods").await["passkeys"], 0);
    let asked = post("/api/passkeys/registration/options", json!({}))
        .await
        .expect(200);
    assert_eq!(asked.body["options"]["excludeCredentials"], json!([]));
    let asked = post(
        "/api/passkeys/authentication/options",
        json!({"for": "reauthenticate"}),
    )
    .await;
    assert_eq!(
        asked.expect(200).body["options"]["allowCredentials"],
        json!([])
    );
    post("/api/second-factor", json!({}))
        .await
        .refused(409, "no_second_factor");
}

/// H11.
#[tokio::test]
async fn a_passkey_of_another_domain_logs_nobody_in_until_the_domain_is_back() {
    let app = App::start().await;
    let (_, mut device) = with_passkey(&app, "susan").await;
    let moved = app.sibling(&["--public-url=https://login.example"]).await;
    for rp_id in ["localhost", "login.example"] {
        let visitor = moved.visitor();
        let options = visitor.passkey_options("login").await;
        let signed = device.sign_lying(&options, |said| {
            said.origin = "https://login.example".to_owned();
            said.rp_id = rp_id.to_owned();
        });
        // Not unknown: the browser must not forget it.
        visitor
            .send_passkey(&signed)
            .await
            .refused(401, "invalid_passkey");
    }
    app.visitor()
        .log_in_with_passkey(&mut device)
        .await
        .expect(200);
}
