//! What happens between the two factors, and at the same time as them.

use serde_json::json;
use tokio::task::JoinHandle;

use crate::recovery::with_mail;
use crate::second_factor::{enrol, halfway, protected, show};
use crate::second_factor_recovery::token_for;
use crate::support::{App, Visitor, wait_until};

const NEW: &str = "seven-Boats-under-9-moons";

/// A transaction that has done this, and ends a moment later.
async fn meanwhile(app: &App, sql: &str) -> JoinHandle<()> {
    let database = app.database.share();
    let sql = format!("begin; {sql}; select pg_sleep(0.8); commit");
    let done = tokio::spawn(async move { drop(database.sql(&sql).await) });
    let sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' \
        and datname = current_database()";
    wait_until("it is under way", async || app.count(sleeping).await == 1).await;
    done
}

/// G1 and G12. The login read the user before, and starts its session after.
#[tokio::test]
async fn a_login_under_way_asks_for_a_factor_that_is_turned_on_meanwhile() {
    let app = App::start().await;
    app.registered("susan").await;
    let on = meanwhile(&app, "update users set second_factor_required = true").await;
    let login = app.visitor().log_in("susan").await;
    on.await.unwrap();
    let login = login.refused(401, "second_factor_required");
    assert!(login.cookie("latchkey_step").is_some());
    assert_eq!(app.count("select count(*) from sessions").await, 0);
}

/// The same without a stopped clock, as often as it takes.
#[tokio::test]
async fn no_session_of_one_factor_is_left_when_the_second_is_turned_on() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    for round in 0..15 {
        let name = format!("susan{round}");
        let susan = app.logged_in(&name).await;
        let browsers: Vec<Visitor> = (0..6).map(|_| sibling.visitor()).collect();
        let logins = browsers.iter().map(|browser| browser.log_in(&name));
        let logins = futures_util::future::join_all(logins);
        let (ours, logins) = tokio::join!(enrol(&susan), logins);
        assert_eq!(ours.recovery_codes.len(), 10);
        assert_eq!(logins.len(), 6);
        let weak = format!(
            "select count(*) from sessions join users on users.id = user_id where factors = 1 and username = '{name}'"
        );
        assert_eq!(app.count(&weak).await, 0, "round {round}");
        assert!(susan.is_logged_in().await);
    }
}

/// G6. The step is of the old password, and begins after that has gone.
#[tokio::test]
async fn a_login_under_way_gets_no_step_with_a_password_that_changes_meanwhile() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = app.visitor();
    let sql = "update users set password_hash = password_hash || ' '";
    let changed = meanwhile(&app, sql).await;
    let login = browser.log_in("susan").await;
    changed.await.unwrap();
    login.refused(401, "invalid_credentials");
    assert_eq!(app.count("select count(*) from login_steps").await, 0);
    let code = ours.unused_code(&app).await;
    show(&browser, &code).await.refused(410, "step_expired");
}

/// G6.
#[tokio::test]
async fn a_login_under_way_gets_no_step_of_somebody_who_is_disabled_meanwhile() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = app.visitor();
    let disabled = meanwhile(&app, "update users set disabled_at = now()").await;
    let login = browser.log_in("susan").await;
    disabled.await.unwrap();
    assert!(
        [401, 403].contains(&login.status.as_u16()),
        "{}",
        login.body
    );
    assert_eq!(app.count("select count(*) from login_steps").await, 0);
    app.sql("update users set disabled_at = null").await;
    let code = ours.unused_code(&app).await;
    show(&browser, &code).await.refused(410, "step_expired");
}

/// G6. The code is right, and the password changes before the session starts.
#[tokio::test]
async fn a_step_under_way_ends_with_the_password() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = halfway(&app, "susan").await;
    let code = ours.unused_code(&app).await;
    let sql = "update users set password_hash = password_hash || ' '";
    let changed = meanwhile(&app, sql).await;
    show(&browser, &code).await.refused(410, "step_expired");
    changed.await.unwrap();
    assert!(!browser.is_logged_in().await);
    assert_eq!(app.count("select count(*) from sessions").await, 0);
}

/// G10. The factors change after the login, and before its browser is trusted.
#[tokio::test]
async fn a_browser_is_not_trusted_after_what_ends_its_session() {
    let app = App::start().await;
    let (susan, ours) = protected(&app, "susan").await;
    app.sql(
        "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.8); return new; end $$; \
         create trigger slow before insert on trusted_devices for each row execute function slow()",
    )
    .await;
    let browser = halfway(&app, "susan").await;
    let form = json!({"code": ours.unused_code(&app).await, "trust_device": true});
    let (finished, removed) = tokio::join!(browser.post("/api/login/second-factor", form), async {
        let sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' \
            and datname = current_database()";
        wait_until("it is about to be trusted", async || {
            app.count(sleeping).await == 1
        })
        .await;
        susan.delete("/api/totp").await
    });
    finished.expect(200);
    assert_eq!(removed.expect(200).body["revoked"], 1);
    assert!(!browser.is_logged_in().await);
    assert_eq!(app.count("select count(*) from trusted_devices").await, 0);
}

/// A trusted browser logs in while its row goes.
#[tokio::test]
async fn a_login_under_way_is_not_let_in_by_a_trust_that_ends_meanwhile() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = halfway(&app, "susan").await;
    let form = json!({"code": ours.unused_code(&app).await, "trust_device": true});
    browser
        .post("/api/login/second-factor", form)
        .await
        .expect(200);
    browser.log_out().await.expect(204);
    // As a change of factors does it: it locks the user first.
    let sql =
        "select from users for no key update; delete from trusted_devices; delete from sessions";
    let ended = meanwhile(&app, sql).await;
    let login = browser.log_in("susan").await;
    ended.await.unwrap();
    login.refused(401, "second_factor_required");
    assert_eq!(app.count("select count(*) from sessions").await, 0);
}

/// The session knows the second factor as on, and it is off when the codes are made.
#[tokio::test]
async fn nobody_gets_recovery_codes_without_a_second_factor() {
    let app = App::start().await;
    let (susan, _ours) = protected(&app, "susan").await;
    susan.get("/api/me").await.expect(200);
    let sql = "update users set second_factor_required = false; delete from totp_secrets; delete from recovery_sets";
    let off = meanwhile(&app, sql).await;
    let renewed = susan.post("/api/recovery-codes", json!({})).await;
    off.await.unwrap();
    renewed.refused(409, "no_second_factor");
    assert_eq!(app.count("select count(*) from recovery_codes").await, 0);
}

/// Whoever proved the mailbox before keeps the factor when the password is forgotten.
#[tokio::test]
async fn a_reset_of_a_proven_account_keeps_the_factor() {
    let (app, smtp) = with_mail(&[]).await;
    let (susan, ours) = protected(&app, "susan").await;
    let token = token_for(&smtp, "/verify").await;
    let form = json!({"token": token});
    susan.post("/api/email/verify", form).await.expect(204);
    let asked = json!({"email": "susan@example.com"});
    app.visitor()
        .post("/api/password/forgot", asked)
        .await
        .expect(202);
    let token = token_for(&smtp, "/reset").await;
    let form = json!({"token": token, "password": NEW});
    app.visitor()
        .post("/api/password/reset", form)
        .await
        .expect(204);
    let owner = app.visitor();
    let form = json!({"username": "susan", "password": NEW});
    let asked = owner.post("/api/login", form).await;
    asked.refused(401, "second_factor_required");
    show(&owner, &ours.unused_code(&app).await)
        .await
        .expect(200);
}
