//! Administrators and second factors: those that they need, and those that they turn off for others.

use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::{administrator, id_of};
use crate::operator::{as_json, latchkey, refused, told};
use crate::recovery::with_mail;
use crate::second_factor::{Authenticator, enrol, halfway, protected, show, step_now};
use crate::support::smtp::Smtp;
use crate::support::{App, PASSWORD, Reply, Visitor, send, wait_until};

/// Under https, a client must be made to send Secure cookies to a server that has no TLS.
async fn ask(app: &App, method: Method, path: &str, cookies: &str, body: Value) -> Reply {
    let asked = app.visitor().request(method, path);
    send(asked.header("cookie", cookies).json(&body)).await
}

/// `name=value` of a cookie that a response sets under https.
fn kept(reply: &Reply, name: &str) -> String {
    let cookie = reply.cookie(&format!("__Host-latchkey_{name}")).unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// J1.
#[tokio::test]
async fn under_https_administrators_need_a_login_with_two_factors() {
    let app = App::with(&["--public-url=https://login.example"]).await;
    app.registered("boss").await;
    let form = json!({"username": "boss", "password": PASSWORD});
    let log_in =
        async |cookies: &str| ask(&app, Method::POST, "/api/login", cookies, form.clone()).await;
    let users =
        async |cookies: &str| ask(&app, Method::GET, "/api/admin/users", cookies, json!({})).await;
    let first = kept(&log_in("").await.expect(200), "session");
    told(&app, &["users", "grant", "boss", "admin"]);
    wait_until("the role is known", async || {
        users(&first).await.body["code"] == "second_factor_missing"
    })
    .await;

    let offer = ask(&app, Method::POST, "/api/totp", &first, json!({})).await;
    let app_of = Authenticator {
        secret: offer.expect(201).body["secret"]
            .as_str()
            .unwrap()
            .to_owned(),
        recovery_codes: Vec::new(),
    };
    let code = json!({"code": app_of.code_of(step_now())});
    let confirmed = ask(&app, Method::POST, "/api/totp/confirm", &first, code).await;
    confirmed.expect(200);
    users(&first).await.expect(200);

    let step = log_in("").await.refused(401, "second_factor_required");
    let step = kept(&step, "step");
    let code = json!({"code": app_of.unused_code(&app).await, "trust_device": true});
    let second = ask(&app, Method::POST, "/api/login/second-factor", &step, code).await;
    let second = second.expect(200);
    let (session, device) = (kept(&second, "session"), kept(&second, "device"));
    let found = users(&session).await.expect(200);
    let id = found.body["users"][0]["id"].as_str().unwrap();
    let roles = format!("/api/admin/users/{id}/roles");
    let wanted = json!({"roles": ["admin", "editor"]});
    ask(&app, Method::PUT, &roles, &session, wanted)
        .await
        .expect(200);

    let trusted = log_in(&device).await.expect(200);
    let refused = users(&kept(&trusted, "session")).await;
    refused.refused(403, "second_factor_missing");
}

/// A user with a proven address, a second factor, a trusted browser and an unfinished login.
async fn susan(app: &App, smtp: &Smtp) -> Visitor {
    let susan = app.logged_in("susan").await;
    let mail = smtp.mail_to("susan@example.com").await;
    let form = json!({"token": mail.token()});
    susan.post("/api/email/verify", form).await.expect(204);
    let app_of = enrol(&susan).await;
    let form = json!({"code": app_of.unused_code(app).await, "trust_device": true});
    let trusted = halfway(app, "susan").await;
    trusted
        .post("/api/login/second-factor", form)
        .await
        .expect(200);
    halfway(app, "susan").await;
    susan
}

const ROWS: &str = "select (select count(*) from totp_secrets) + (select count(*) from recovery_codes) \
    + (select count(*) from trusted_devices) + (select count(*) from login_steps) \
    + (select count(*) from users where second_factor_required)";

async fn assert_off(app: &App, susan: &Visitor, smtp: &Smtp) {
    assert_eq!(app.count(ROWS).await, 0);
    let about_susan =
        "select count(*) from sessions join users on users.id = user_id where username = 'susan'";
    assert_eq!(app.count(about_susan).await, 0);
    wait_until("every session has ended", async || {
        !susan.is_logged_in().await
    })
    .await;
    let again = susan.log_in("susan").await.expect(200);
    assert_eq!(again.body["session"]["factors"], 1);
    let is_told = || {
        let told = |mail: &crate::support::smtp::Received| {
            mail.to == ["susan@example.com"]
                && mail
                    .header("subject")
                    .unwrap()
                    .contains("An administrator switched off")
        };
        smtp.mails().iter().filter(|mail| told(mail)).count()
    };
    wait_until("Susan is told", async || is_told() > 0).await;
    assert_eq!(is_told(), 1);
}

#[tokio::test]
async fn administrators_turn_off_the_second_factor_of_somebody_who_has_lost_it() {
    let (app, smtp) = with_mail(&[]).await;
    let admin = administrator(&app, "boss").await;
    let susan = susan(&app, &smtp).await;
    let (boss, id) = (id_of(&admin).await, id_of(&susan).await);
    let user = format!("/api/admin/users/{id}");
    let shown = async || admin.get(&user).await.expect(200).body;
    assert_eq!(shown().await["totp"], true);
    let listed = admin.get("/api/admin/users?q=susan").await.expect(200).body;
    assert_eq!(listed["users"][0]["totp"], true);

    let path = format!("{user}/second-factor");
    admin.delete(&path).await.expect(204);
    assert_off(&app, &susan, &smtp).await;
    assert_eq!(shown().await["totp"], false);
    let reset = susan.get("/api/me/events").await.expect(200).body;
    let reset = reset["events"].as_array().unwrap().iter();
    let reset: Vec<_> = reset
        .filter(|event| event["kind"] == "second_factor_reset")
        .collect();
    assert_eq!(reset.len(), 1);
    assert_eq!(reset[0]["actor_id"], json!(boss));

    admin.delete(&path).await.expect(204);
    assert!(susan.is_logged_in().await, "there was nothing to turn off");
    let events = "select count(*) from security_events where kind = 'second_factor_reset'";
    assert_eq!(app.count(events).await, 1);
    let nobody = "/api/admin/users/00000000-0000-4000-8000-000000000000/second-factor";
    admin.delete(nobody).await.refused(404, "item_not_found");
}

#[tokio::test]
async fn operators_turn_it_off_from_a_shell() {
    let (app, smtp) = with_mail(&[]).await;
    let susan = susan(&app, &smtp).await;
    let shown = told(&app, &["users", "show", "susan"]);
    assert!(shown.contains("two factors on\n"), "{shown}");
    let command = ["users", "reset-second-factor", "susan"];
    assert_eq!(
        told(&app, &command),
        "The second factor is off, and all sessions have ended. Passkeys stay.\n"
    );
    assert_off(&app, &susan, &smtp).await;
    assert_eq!(told(&app, &command), "The second factor was off already.\n");
    assert_eq!(as_json(&app, &command)["changed"], false);
    assert!(susan.is_logged_in().await);
    let reset = susan.get("/api/me/events").await.expect(200).body;
    let reset = reset["events"].as_array().unwrap().iter();
    let reset = reset.filter(|event| event["kind"] == "second_factor_reset");
    assert_eq!(reset.count(), 1);
    let nobody = latchkey(&app, &["users", "reset-second-factor", "nobody"], "");
    refused(&nobody, "latchkey: no user nobody\n");
}

#[tokio::test]
async fn a_reset_keeps_everybody_elses_second_factor() {
    let (app, _smtp) = with_mail(&[]).await;
    let (miguel, app_of) = protected(&app, "miguel").await;
    protected(&app, "susan").await;
    told(&app, &["users", "reset-second-factor", "susan"]);
    assert!(miguel.is_logged_in().await);
    let browser = halfway(&app, "miguel").await;
    let code = app
        .sql("select username from users where second_factor_required")
        .await;
    assert_eq!(code[0][0].as_deref(), Some("miguel"));
    show(&browser, &app_of.unused_code(&app).await)
        .await
        .expect(200);
}
