//! What a stolen mailbox, password or cookie is worth against a second factor.

use serde_json::{Value, json};

use crate::account_life::{not_me, susan};
use crate::limits::{ON, regained, try_login};
use crate::outbox::{NEW_PASSWORD, forgot};
use crate::passkeys::remove;
use crate::recovery::{log_in_with, reset, token_in, with_mail};
use crate::second_factor::{enrol, halfway, protected, show};
use crate::second_factor_cookie::pair;
use crate::second_factor_recovery::token_for;
use crate::support::{App, PASSWORD, Reply, send, wait_until};

/// G4. Else each reset, of which a mailbox gets five an hour, would bring five tries and fifty in a row.
#[tokio::test]
async fn a_mailed_link_brings_no_tries_back() {
    let (app, smtp) = with_mail(&["--rate-limits=on"]).await;
    let (_susan, ours) = protected(&app, "susan").await;
    app.sql("update users set email_verified_at = now()").await;
    let browser = halfway(&app, "susan").await;
    for wrong in ours.wrong_codes(5) {
        let refused = show(&browser, &wrong).await;
        refused.refused(401, "invalid_code");
    }
    forgot(&app.visitor(), "susan@example.com").await;
    // The warning of wrong codes is on its way, too.
    let token = token_for(&smtp, "/reset").await;
    reset(&app.visitor(), &token, NEW_PASSWORD)
        .await
        .expect(204);
    let thief = app.visitor();
    let form = json!({"username": "susan", "password": NEW_PASSWORD});
    let asked = thief.post("/api/login", form).await;
    asked.refused(401, "second_factor_required");
    let refused = show(&thief, &ours.wrong_code()).await;
    refused.refused(429, "rate_limited");
}

/// F12. Neither recovery codes nor a passkey of another domain are gone because nothing else is left.
#[tokio::test]
async fn a_stolen_mailbox_strips_no_older_second_factor_that_is_hard_to_show() {
    for codes_only in [true, false] {
        let (app, smtp) = with_mail(&[]).await;
        let susan = susan(&app, &smtp).await;
        susan.add_passkey().await;
        enrol(&susan).await;
        smtp.wait_for(3).await;
        app.sql(if codes_only {
            "delete from totp_secrets; delete from passkeys; \
             update recovery_sets set created_at = created_at - interval '1 year'"
        } else {
            "delete from totp_secrets; delete from recovery_sets; \
             update passkeys set rp_id = 'old.example', created_at = created_at - interval '1 year'"
        })
        .await;
        let form = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
        susan.post("/api/password/change", form).await.expect(200);
        let token = token_in(&smtp, 3, "changed").await;
        not_me(&app, &token).await.expect(204);
        let on = "select count(*) from users where second_factor_required";
        assert_eq!(app.count(on).await, 1);
        let left = "select (select count(*) from recovery_codes) + (select count(*) from passkeys)";
        assert_eq!(app.count(left).await, if codes_only { 10 } else { 1 });
    }
}

/// G4. Whoever has the password may log in from many browsers before the owner turns the second factor on.
#[tokio::test]
async fn many_known_browsers_get_twenty_tries_an_hour_together() {
    let app = App::with(ON).await;
    let susan = app.logged_in("susan").await;
    let mut known = Vec::new();
    for n in 0..8 {
        let browser = app.visitor();
        let from = format!("198.51.{n}.1");
        try_login(&browser, &from, "susan", PASSWORD)
            .await
            .expect(200);
        known.push((browser, from));
    }
    let ours = enrol(&susan).await;
    let began = std::time::Instant::now();
    let mut tried = 0;
    for (browser, from) in &known {
        let asked = try_login(browser, from, "susan", PASSWORD).await;
        asked.refused(401, "second_factor_required");
        for wrong in ours.wrong_codes(4) {
            let refused = show(browser, &wrong).await;
            tried += usize::from(refused.status == 401);
        }
    }
    let most = 20 + regained(began.elapsed(), 180);
    assert!((16..=most).contains(&tried), "{tried}");
    // A browser that was never here has tries of its own.
    let stranger = app.visitor();
    let asked = try_login(&stranger, "198.51.99.1", "susan", PASSWORD).await;
    asked.refused(401, "second_factor_required");
    let code = ours.unused_code(&app).await;
    show(&stranger, &code).await.expect(200);
}

/// G11. The session of somebody who came with a passkey has two factors, also while the second factor is off.
#[tokio::test]
async fn a_new_password_makes_no_session_of_a_passkey_fresh() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    app.sql(
        "update sessions set methods = '{passkey}', factors = 2, \
         authenticated_at = now() - interval '1 hour'",
    )
    .await;
    wait_until("the session is old", async || {
        susan.post("/api/totp", json!({})).await.status == 403
    })
    .await;
    let form = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    susan.post("/api/password/change", form).await.expect(200);
    let refused = susan.post("/api/totp", json!({})).await;
    refused.refused(403, "reauthentication_required");
    let me = susan.get("/api/me").await.expect(200).body;
    assert_eq!(me["session"]["factors"], 2);
}

/// Whoever lost the phone may have mistyped recovery codes, or a thief has tried; with another app that is over.
#[tokio::test]
async fn who_gets_a_new_second_factor_gets_new_tries() {
    let app = App::with(ON).await;
    let (_susan, ours) = protected(&app, "susan").await;
    let thief = app.visitor();
    let asked = try_login(&thief, "198.51.1.1", "susan", PASSWORD).await;
    asked.refused(401, "second_factor_required");
    for wrong in ours.wrong_codes(5) {
        show(&thief, &wrong).await.refused(401, "invalid_code");
    }
    crate::operator::told(&app, &["users", "reset-second-factor", "susan"]);
    let back = app.visitor();
    try_login(&back, "198.51.2.1", "susan", PASSWORD)
        .await
        .expect(200);
    let new = enrol(&back).await;
    let elsewhere = app.visitor();
    let asked = try_login(&elsewhere, "198.51.3.1", "susan", PASSWORD).await;
    asked.refused(401, "second_factor_required");
    let code = new.unused_code(&app).await;
    show(&elsewhere, &code).await.expect(200);
}

/// A login with this device cookie alone.
async fn with_device(app: &App, device: &str) -> Reply {
    let asked = app.visitor().request(reqwest::Method::POST, "/api/login");
    let form = json!({"username": "susan", "password": PASSWORD});
    send(asked.header("cookie", device).json(&form)).await
}

fn device_of(reply: &Reply) -> String {
    let set = reply.headers.get_all("set-cookie").iter();
    let mut set = set.map(|cookie| cookie.to_str().unwrap());
    pair(
        set.find(|cookie| cookie.contains("latchkey_device"))
            .unwrap(),
    )
}

/// G10. Somebody copied the cookies of a browser that is trusted only later.
#[tokio::test]
async fn an_older_copy_of_a_device_cookie_is_not_trusted() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = halfway(&app, "susan").await;
    let code = ours.unused_code(&app).await;
    let stolen = device_of(&show(&browser, &code).await.expect(200));
    browser.log_out().await.expect(204);
    let asked = browser.log_in("susan").await;
    asked.refused(401, "second_factor_required");
    let form = json!({"code": ours.unused_code(&app).await, "trust_device": true});
    let trusted = browser.post("/api/login/second-factor", form).await;
    let trusted = device_of(&trusted.expect(200));
    let thief = with_device(&app, &stolen).await;
    thief.refused(401, "second_factor_required");
    let owner = with_device(&app, &trusted).await.expect(200);
    let methods = json!(["password", "trusted_device"]);
    assert_eq!(owner.body["session"]["methods"], methods);
}

/// H9. A passkey of another domain lets nobody in.
#[tokio::test]
async fn the_last_passkey_that_works_stays_beside_one_that_does_not() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    susan.add_passkey().await;
    app.sql("update passkeys set rp_id = 'old.example', name = 'Old'")
        .await;
    susan.add_passkey().await;
    app.sql("update users set password_hash = null, rehashed_at = now()")
        .await;
    let listed = crate::passkeys::list(&susan).await;
    let passkeys: Vec<Value> = listed["passkeys"].as_array().unwrap().clone();
    let (usable, old): (Vec<_>, Vec<_>) = passkeys.iter().partition(|one| one["usable"] == true);
    assert_eq!((usable.len(), old.len()), (1, 1));
    let refused = remove(&susan, &usable[0]["id"]).await;
    refused.refused(409, "last_login_method");
    remove(&susan, &old[0]["id"]).await.expect(200);
    let thief = log_in_with(&app, "susan", PASSWORD).await;
    thief.refused(401, "invalid_credentials");
}
