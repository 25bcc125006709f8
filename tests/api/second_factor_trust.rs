//! Trusted browsers: they skip the second factor of one user, and nothing else.

use reqwest::Method;
use serde_json::{Value, json};

use crate::operator::told;
use crate::passkeys::{list, remove};
use crate::second_factor::{Authenticator, enrol, halfway, protected, show, step_now};
use crate::support::{App, PASSWORD, Visitor, send};

/// Logs in with a code, and has the browser trusted.
async fn trust(app: &App, browser: &Visitor, name: &str, ours: &Authenticator) -> Value {
    let asked = browser.log_in(name).await;
    asked.refused(401, "second_factor_required");
    let form = json!({"code": ours.unused_code(app).await, "trust_device": true});
    let done = browser.post("/api/login/second-factor", form).await;
    done.expect(200).body
}

/// Whether a login in this browser asks for the second factor.
async fn asks(browser: &Visitor, name: &str) -> bool {
    browser.log_out().await.expect(204);
    let login = browser.log_in(name).await;
    match login.status.as_u16() {
        200 => {
            let methods = &login.body["session"]["methods"];
            assert_eq!(methods, &json!(["password", "trusted_device"]));
            assert_eq!(login.body["session"]["factors"], 1);
            false
        }
        _ => {
            login.refused(401, "second_factor_required");
            true
        }
    }
}

async fn devices(visitor: &Visitor) -> Vec<Value> {
    let list = visitor.get("/api/trusted-devices").await.expect(200).body;
    list.as_array().unwrap().clone()
}

/// G10.
#[tokio::test]
async fn a_trusted_browser_skips_the_second_factor_and_nothing_else() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = app.visitor();
    let done = trust(&app, &browser, "susan", &ours).await;
    assert_eq!(done["session"]["factors"], 2);
    assert!(!asks(&browser, "susan").await);
    // Neither a recent proof of two factors, nor two factors.
    let refused = browser.post("/api/recovery-codes", json!({})).await;
    let refused = refused.refused(403, "reauthentication_required");
    let methods = json!(["password", "totp", "recovery_code"]);
    assert_eq!(refused.body["methods"], methods);
    for (query, status) in [("?factors=2", 403), ("", 204)] {
        let asked = browser.request(Method::GET, &format!("/api/verify{query}"));
        let answer = send(asked.header("x-forwarded-method", "GET")).await;
        assert_eq!(answer.status.as_u16(), status);
        if status == 204 {
            assert_eq!(answer.header("x-latchkey-factors"), "1");
        }
    }
    // Not without the right password.
    browser.log_out().await.expect(204);
    let form = json!({"username": "susan", "password": "wrong-Password-9"});
    let wrong = browser.post("/api/login", form).await;
    wrong.refused(401, "invalid_credentials");
    // Not in another browser.
    halfway(&app, "susan").await;
}

#[tokio::test]
async fn a_browser_is_trusted_only_if_wanted_and_listed_then() {
    let app = App::start().await;
    let (susan, ours) = protected(&app, "susan").await;
    let (plain, trusted) = (halfway(&app, "susan").await, app.visitor());
    show(&plain, &ours.unused_code(&app).await)
        .await
        .expect(200);
    assert!(asks(&plain, "susan").await);
    assert_eq!(devices(&susan).await, Vec::<Value>::new());
    trust(&app, &trusted, "susan", &ours).await;
    let list = devices(&susan).await;
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["ip"], "127.0.0.1");
    let days = "select extract(day from expires_at - created_at)::int from trusted_devices";
    assert_eq!(app.count(days).await, 30);
    let ways = susan.get("/api/login-methods").await.expect(200).body;
    assert_eq!(ways["trusted_devices"], 1);
    // Somebody else cannot take it back.
    let miguel = app.logged_in("miguel").await;
    assert!(devices(&miguel).await.is_empty());
    let path = format!("/api/trusted-devices/{}", list[0]["id"].as_str().unwrap());
    miguel.delete(&path).await.refused(404, "item_not_found");
    miguel.delete("/api/trusted-devices").await.expect(204);
    assert!(!asks(&trusted, "susan").await);
    susan.delete(&path).await.expect(204);
    susan.delete(&path).await.refused(404, "item_not_found");
    assert!(asks(&trusted, "susan").await);
    trust(&app, &trusted, "susan", &ours).await;
    susan.delete("/api/trusted-devices").await.expect(204);
    assert!(asks(&trusted, "susan").await);
}

/// G10.
#[tokio::test]
async fn the_trust_of_one_user_is_not_that_of_another_in_the_same_browser() {
    let app = App::start().await;
    let (_, susans) = protected(&app, "susan").await;
    let (_, miguels) = protected(&app, "miguel").await;
    let browser = app.visitor();
    trust(&app, &browser, "susan", &susans).await;
    assert!(asks(&browser, "miguel").await);
    let code = miguels.unused_code(&app).await;
    show(&browser, &code).await.expect(200);
    assert!(asks(&browser, "miguel").await, "known is not trusted");
    trust(&app, &browser, "miguel", &miguels).await;
    assert!(!asks(&browser, "susan").await);
    assert!(!asks(&browser, "miguel").await);
    app.sql("delete from trusted_devices where user_id = (select id from users where username = 'susan')")
        .await;
    assert!(asks(&browser, "susan").await);
    assert!(!asks(&browser, "miguel").await);
}

/// G10.
#[tokio::test]
async fn trust_ends_with_its_row_and_with_every_change_of_password_or_factor() {
    let app = App::start().await;
    for n in 0..9 {
        let name = format!("susan{n}");
        let (susan, mut ours) = protected(&app, &name).await;
        let browser = app.visitor();
        trust(&app, &browser, &name, &ours).await;
        assert!(!asks(&browser, &name).await);
        let mut password = PASSWORD;
        match n {
            0 => drop(app.sql("delete from trusted_devices").await),
            1 => drop(
                app.sql("update trusted_devices set expires_at = now()")
                    .await,
            ),
            2 => {
                password = "seven-Boats-under-9-moons";
                let form = json!({"current_password": PASSWORD, "new_password": password});
                susan.post("/api/password/change", form).await.expect(200);
            }
            3 | 4 => {
                let form = json!({"end_other_sessions": n == 3});
                let off = susan.request(Method::DELETE, "/api/totp").json(&form);
                send(off).await.expect(200);
                ours = enrol(&susan).await;
            }
            5 => {
                susan.delete("/api/second-factor").await.expect(200);
                ours = enrol(&susan).await;
            }
            6 => {
                told(&app, &["users", "disable", &name]);
                told(&app, &["users", "enable", &name]);
            }
            7 => drop(susan.delete("/api/trusted-devices").await.expect(204)),
            _ => {
                let sql = "update users set password_hash = password_hash || ' '; \
                    update users set password_hash = trim(password_hash)";
                app.sql(sql).await;
            }
        }
        browser.log_out().await.expect(204);
        let form = json!({"username": name, "password": password});
        let login = browser.post("/api/login", form).await;
        assert_eq!(login.status, 401, "{n}: {}", login.body);
        login.refused(401, "second_factor_required");
        show(&browser, &ours.unused_code(&app).await)
            .await
            .expect(200);
    }
}

/// G10.
#[tokio::test]
async fn trust_ends_when_a_passkey_comes_or_goes() {
    let app = App::start().await;
    let (susan, ours) = protected(&app, "susan").await;
    let browser = app.visitor();
    trust(&app, &browser, "susan", &ours).await;
    susan.add_passkey().await;
    browser.log_out().await.expect(204);
    trust(&app, &browser, "susan", &ours).await;
    assert!(!asks(&browser, "susan").await);
    let id = &list(&susan).await["passkeys"][0]["id"];
    remove(&susan, id).await.expect(200);
    assert!(asks(&browser, "susan").await);
}

#[tokio::test]
async fn a_passkey_as_the_second_factor_may_have_the_browser_trusted() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let mut device = susan.add_passkey().await;
    susan
        .post("/api/second-factor", json!({}))
        .await
        .expect(200);
    for (wanted, count) in [(false, 0), (true, 1)] {
        let browser = halfway(&app, "susan").await;
        let signed = device.sign(&browser.passkey_options("second_factor").await);
        let form = json!({"credential": signed, "trust_device": wanted});
        let done = browser.post("/api/login/second-factor", form).await;
        done.expect(200);
        assert_eq!(devices(&susan).await.len(), count);
        assert_eq!(asks(&browser, "susan").await, !wanted);
    }
}

#[tokio::test]
async fn where_no_browser_may_be_trusted_none_is() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = app.visitor();
    trust(&app, &browser, "susan", &ours).await;
    assert!(!asks(&browser, "susan").await);
    let strict = app.sibling(&["--trust-device-for=0"]).await;
    assert!(asks(&browser.at(strict.address), "susan").await);
    app.sql("delete from trusted_devices").await;
    let other = strict.visitor();
    trust(&strict, &other, "susan", &ours).await;
    assert_eq!(app.count("select count(*) from trusted_devices").await, 0);
    assert!(asks(&other, "susan").await);
}

/// Signed with our key, but for a device that nobody trusts: an id from a row is worth nothing to whoever lacks the key.
#[tokio::test]
async fn the_id_of_a_trusted_browser_is_no_trust() {
    let app = App::start().await;
    let (susan, ours) = protected(&app, "susan").await;
    let browser = app.visitor();
    let done = trust(&app, &browser, "susan", &ours).await;
    let user = done["user"]["id"].as_str().unwrap().replace('-', "");
    let device = devices(&susan).await[0]["id"].clone();
    let device = device.as_str().unwrap().replace('-', "");
    for value in [
        format!("{user}.{device}.{}.0", step_now() * 30),
        format!("{}{user}.{device}.{}.0", "A".repeat(44), step_now() * 30),
    ] {
        let asked = app.visitor().request(Method::POST, "/api/login");
        let asked = asked.header("cookie", format!("latchkey_device={value}"));
        let form = json!({"username": "susan", "password": PASSWORD});
        let login = send(asked.json(&form)).await;
        login.refused(401, "second_factor_required");
    }
}
