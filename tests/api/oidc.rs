//! Logging in with an account at a provider: somebody new, somebody known, and what comes between.

use futures_util::future::join_all;
use reqwest::header::COOKIE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::metrics::Scrape;
use crate::second_factor::{protected, show};
use crate::second_factor_cookie::pair;
use crate::support::provider::{File, Lies, Provider, file};
use crate::support::smtp::Smtp;
use crate::support::{App, Reply, Visitor, field_codes, send};

/// Where the pages of a test's server are.
pub const PAGES: &str = "http://localhost:8080";

/// A server at which people can log in with one provider, `acme`.
pub async fn with_provider(flags: &[&str]) -> (App, Provider, File) {
    let provider = Provider::start().await;
    let file = file(&[("acme", &provider, "")]);
    let app = App::with(&[&[&*file.flag], flags].concat()).await;
    (app, provider, file)
}

/// Somebody at the provider, whose address it has proven.
pub fn susan() -> Value {
    somebody("susan")
}

pub fn somebody(name: &str) -> Value {
    json!({
        "sub": format!("{name}-at-acme"), "email": format!("{name}@acme.example"), "email_verified": true,
        "preferred_username": name,
    })
}

pub async fn start(visitor: &Visitor, form: Value) -> Reply {
    visitor.post("/api/oidc/acme/start", form).await
}

/// Where the provider is asked to send somebody back from.
pub async fn leave(visitor: &Visitor, form: Value) -> String {
    let begun = start(visitor, form).await.expect(200);
    begun.body["authorization_url"].as_str().unwrap().to_owned()
}

/// Goes to the provider, logs in there as this person, and comes back.
pub async fn travel(visitor: &Visitor, provider: &Provider, person: Value) -> Reply {
    let url = leave(visitor, json!({"intent": "login"})).await;
    visitor.get(&provider.log_in(&url, person)).await
}

/// The page of the app to which an answer leads.
#[track_caller]
pub fn place(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let place = reply.header("location");
    let path = place
        .strip_prefix(PAGES)
        .unwrap_or_else(|| panic!("{place}"));
    path.to_owned()
}

#[track_caller]
pub fn in_vain(reply: &Reply, error: &str) {
    assert_eq!(place(reply), format!("/login?error={error}&provider=acme"));
    let session = reply.cookie("latchkey_session");
    assert_eq!(session, None, "a failure changes no session");
}

pub async fn choose(visitor: &Visitor, form: Value) -> Reply {
    visitor.post("/api/login/choose-username", form).await
}

/// Somebody who got an account by the provider, and is logged in.
pub async fn newcomer(app: &App, provider: &Provider, name: &str) -> Visitor {
    let visitor = app.visitor();
    travel(&visitor, provider, somebody(name)).await;
    choose(&visitor, json!({"username": name}))
        .await
        .expect(200);
    visitor
}

#[tokio::test]
async fn somebody_new_chooses_a_name_and_logs_in_with_the_provider_from_then_on() {
    let (app, provider, _file) = with_provider(&[]).await;
    let visitor = app.visitor();
    let config = visitor.get("/api/config").await.body;
    assert_eq!(
        config["providers"],
        json!([{"name": "acme", "label": "The acme"}])
    );
    let form = json!({"intent": "login", "next": "/profile?x=1", "remember_me": true});
    let url = leave(&visitor, form).await;
    assert!(
        url.starts_with(&format!("{}/authorize?", provider.issuer)),
        "{url}"
    );
    assert!(url.contains("scope=openid+email+profile"), "{url}");
    let back = visitor.get(&provider.log_in(&url, susan())).await;
    assert_eq!(place(&back), "/register?step=choose_username");
    assert!(!visitor.is_logged_in().await);
    let step = visitor.get("/api/login/step").await.expect(200).body;
    assert_eq!(step["kind"], "choose_username");
    assert_eq!(step["provider"], "acme");
    assert_eq!(step["suggested_username"], "susan");
    assert_eq!(step["email"], "susan@acme.example");
    let chosen = choose(
        &visitor,
        json!({"username": "Suse", "roles": ["admin"], "factors": 2}),
    )
    .await;
    let chosen = chosen.expect(200);
    assert_eq!(chosen.body["redirect_to"], "/profile?x=1");
    assert_eq!(chosen.body["user"]["username"], "Suse");
    assert_eq!(chosen.body["user"]["email"], "susan@acme.example");
    assert_eq!(chosen.body["user"]["email_verified"], true);
    assert_eq!(chosen.body["user"]["roles"], json!([]));
    assert_eq!(chosen.body["session"]["methods"], json!(["oidc"]));
    assert_eq!(chosen.body["session"]["factors"], 1);
    assert_eq!(chosen.body["session"]["remembered"], true);
    choose(&visitor, json!({"username": "again"}))
        .await
        .refused(410, "step_expired");
}

#[tokio::test]
async fn somebody_known_logs_in_with_the_provider() {
    let (app, provider, _file) = with_provider(&[]).await;
    let visitor = newcomer(&app, &provider, "susan").await;
    let methods = visitor.get("/api/login-methods").await.body;
    assert_eq!(methods["identities"], json!(["acme"]));
    assert_eq!(methods["password"], false);
    let elsewhere = app.visitor();
    let back = travel(&elsewhere, &provider, susan()).await;
    assert_eq!(place(&back), "/");
    let me = elsewhere.get("/api/me").await.expect(200).body;
    assert_eq!(me["username"], "susan");
    assert_eq!(me["session"]["remembered"], false);
    assert_eq!(app.count("select count(*) from users").await, 1);
    let kinds = "select string_agg(kind, ' ' order by created_at, id) from security_events";
    let kinds = app.sql(kinds).await[0][0].clone().unwrap();
    assert_eq!(kinds, "registered logged_in logged_in");
}

/// I4.
#[tokio::test]
async fn a_new_address_or_name_at_the_provider_changes_nobody_here() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    app.registered("david").await;
    let visitor = app.visitor();
    let mut changed = susan();
    changed["email"] = json!("david@example.com");
    changed["preferred_username"] = json!("david");
    travel(&visitor, &provider, changed).await;
    let me = visitor.get("/api/me").await.expect(200).body;
    assert_eq!(me["username"], "susan");
    assert_eq!(me["email"], "susan@acme.example");
}

/// I4.
#[tokio::test]
async fn one_subject_at_two_issuers_is_two_people() {
    let (acme, other) = (Provider::start().await, Provider::start().await);
    let file = file(&[("acme", &acme, ""), ("other", &other, "")]);
    let app = App::with(&[&file.flag]).await;
    newcomer(&app, &acme, "susan").await;
    let visitor = app.visitor();
    let begun = visitor
        .post("/api/oidc/other/start", json!({"intent": "login"}))
        .await;
    let url = begun.body["authorization_url"].as_str().unwrap();
    let mut namesake = susan();
    namesake["email"] = json!("another@acme.example");
    let back = visitor.get(&other.log_in(url, namesake)).await;
    assert_eq!(place(&back), "/register?step=choose_username");
}

#[tokio::test]
async fn a_name_is_checked_and_a_taken_one_can_be_changed() {
    let (app, provider, _file) = with_provider(&[]).await;
    app.registered("susan").await;
    let visitor = app.visitor();
    let mut person = susan();
    person["preferred_username"] = json!("not a name @ all");
    travel(&visitor, &provider, person).await;
    let step = visitor.get("/api/login/step").await.body;
    assert_eq!(step.get("suggested_username"), None);
    for (form, expected) in [
        (json!({}), "username: required"),
        (json!({"username": 7}), "username: invalid"),
        (json!({"username": "a"}), "username: too_short"),
        (json!({"username": "admin"}), "username: reserved"),
        (json!({"username": "SUSAN"}), "username: taken"),
        (
            json!({"username": "suse", "email": "other@example.com"}),
            "email: invalid",
        ),
    ] {
        let wrong = choose(&visitor, form)
            .await
            .refused(422, "validation_failed");
        assert_eq!(field_codes(&wrong.body), [expected]);
    }
    let form = json!({"username": "suse", "email": "susan@acme.example"});
    choose(&visitor, form).await.expect(200);
}

#[tokio::test]
async fn without_a_proven_address_they_type_one_and_prove_it() {
    for (flags, claims) in [
        (vec![], json!({"sub": "1"})),
        (vec![], json!({"sub": "1", "email": "susan@acme.example"})),
        (
            vec!["--require-verified-email=on"],
            json!({"sub": "1", "email": "susan@acme.example", "email_verified": false}),
        ),
    ] {
        let (provider, smtp) = (Provider::start().await, Smtp::start().await);
        let file = file(&[("acme", &provider, "")]);
        let app = App::with_mail(&smtp, &[&[&*file.flag], &flags[..]].concat()).await;
        let visitor = app.visitor();
        travel(&visitor, &provider, claims.clone()).await;
        let step = visitor.get("/api/login/step").await.expect(200).body;
        assert_eq!(step.get("email"), None, "{claims}");
        let wrong = choose(&visitor, json!({"username": "susan"})).await;
        assert_eq!(
            field_codes(&wrong.refused(422, "validation_failed").body),
            ["email: required"]
        );
        let form = json!({"username": "susan", "email": "mistyped@example.com"});
        let registered = choose(&visitor, form).await.expect(202);
        assert!(registered.body["message"].is_string());
        visitor
            .get("/api/login/step")
            .await
            .refused(410, "step_expired");
        assert!(!visitor.is_logged_in().await);

        // The mail never comes, so they begin again.
        let back = travel(&visitor, &provider, claims.clone()).await;
        assert_eq!(place(&back), "/register?step=choose_username");
        let form = json!({"username": "susan", "email": "susan@example.com"});
        choose(&visitor, form).await.expect(202);
        assert_eq!(app.count("select count(*) from users").await, 1);
        let token = smtp.mail_to("susan@example.com").await.token();
        let form = json!({"token": token});
        let proven = app.visitor().post("/api/email/verify", form).await;
        proven.expect(204);
        let back = travel(&visitor, &provider, claims).await;
        assert_eq!(place(&back), "/");
        let me = visitor.get("/api/me").await.expect(200).body;
        assert_eq!(me["email"], "susan@example.com");
        assert_eq!(me["email_verified"], true);
    }
}

/// An address that somebody has looks like one that is free.
#[tokio::test]
async fn a_typed_address_tells_nobody_whose_it_is() {
    let (app, provider, _file) = with_provider(&[]).await;
    app.registered("david").await;
    let visitor = app.visitor();
    travel(&visitor, &provider, json!({"sub": "1"})).await;
    let form = json!({"username": "susan", "email": "david@example.com"});
    choose(&visitor, form).await.expect(202);
}

/// I1.
#[tokio::test]
async fn the_way_back_is_open_once_in_time_and_to_the_browser_that_left() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    let visitor = app.visitor();
    let begun = start(&visitor, json!({"intent": "login"}))
        .await
        .expect(200);
    let cookie = begun.cookie("latchkey_oidc").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(
        cookie.contains("Max-Age=600") && cookie.contains("Path=/"),
        "{cookie}"
    );
    let url = begun.body["authorization_url"].as_str().unwrap();
    let back = provider.log_in(url, susan());
    let life = "select extract(epoch from expires_at - created_at)::int from oidc_flows";
    assert_eq!(app.count(life).await, 600);
    for stranger in [app.visitor(), app.logged_in("david").await] {
        let logged_in = stranger.is_logged_in().await;
        let reply = stranger.get(&back).await;
        let page = if logged_in { "account" } else { "login" };
        assert_eq!(
            place(&reply),
            format!("/{page}?error=oidc_expired&provider=acme")
        );
        assert_eq!(stranger.is_logged_in().await, logged_in);
    }
    let other_key = app.visitor().request(Method::GET, &back);
    let other_key =
        send(other_key.header(COOKIE, format!("latchkey_oidc={}", "0".repeat(64)))).await;
    in_vain(&other_key, "oidc_expired");
    assert_eq!(place(&visitor.get(&back).await), "/");
    visitor.log_out().await.expect(204);
    in_vain(&visitor.get(&back).await, "oidc_expired");

    let url = leave(&visitor, json!({"intent": "login"})).await;
    app.sql("update oidc_flows set expires_at = now()").await;
    let late = visitor.get(&provider.log_in(&url, susan())).await;
    in_vain(&late, "oidc_expired");
    let stored = app.sql("select verifier, nonce from oidc_flows").await;
    assert!(
        stored
            .iter()
            .flatten()
            .flatten()
            .all(|text| text.len() == 64)
    );
}

/// I1.
#[tokio::test]
async fn two_tabs_at_once_both_come_back() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    let visitor = app.visitor();
    let mut ways = Vec::new();
    for next in ["/one", "/two"] {
        let url = leave(&visitor, json!({"intent": "login", "next": next})).await;
        ways.push(provider.log_in(&url, susan()));
    }
    let came = join_all(ways.iter().map(|way| visitor.get(way))).await;
    let places: Vec<_> = came.iter().map(place).collect();
    assert_eq!(places, ["/one", "/two"]);
    assert!(visitor.is_logged_in().await);

    // One after the other: the second ends the session of the first, which no cookie holds any more.
    let visitor = app.visitor();
    let mut ways = Vec::new();
    for _ in 0..2 {
        let url = leave(&visitor, json!({"intent": "login"})).await;
        ways.push(provider.log_in(&url, susan()));
    }
    app.sql("delete from sessions").await;
    for way in ways {
        assert_eq!(place(&visitor.get(&way).await), "/");
    }
    assert_eq!(app.count("select count(*) from sessions").await, 1);
    assert!(visitor.is_logged_in().await);
}

/// G1.
#[tokio::test]
async fn the_second_factor_comes_after_the_provider() {
    let (app, provider, _file) = with_provider(&[]).await;
    let (member, ours) = protected(&app, "susan").await;
    let url = leave(&member, json!({"intent": "link"})).await;
    place(&member.get(&provider.log_in(&url, susan())).await);
    let visitor = app.visitor();
    let url = leave(&visitor, json!({"intent": "login", "next": "/profile"})).await;
    let back = visitor.get(&provider.log_in(&url, susan())).await;
    assert_eq!(place(&back), "/login?step=second_factor");
    assert!(!visitor.is_logged_in().await);
    let step = visitor.get("/api/login/step").await.expect(200).body;
    assert_eq!(step["kind"], "second_factor");
    assert_eq!(step["methods"], json!(["totp", "recovery_code"]));
    choose(&visitor, json!({"username": "suse"}))
        .await
        .refused(410, "step_expired");
    let done = show(&visitor, &ours.unused_code(&app).await)
        .await
        .expect(200);
    assert_eq!(done.body["redirect_to"], "/profile");
    assert_eq!(done.body["session"]["methods"], json!(["oidc", "totp"]));
    assert_eq!(done.body["session"]["factors"], 2);
}

#[tokio::test]
async fn a_provider_whose_second_factor_counts_is_enough() {
    let provider = Provider::start().await;
    let file = file(&[("acme", &provider, "second_factor = \"theirs\"")]);
    let app = App::with(&[&file.flag]).await;
    let (member, _) = protected(&app, "susan").await;
    let url = leave(&member, json!({"intent": "link"})).await;
    place(&member.get(&provider.log_in(&url, susan())).await);
    let visitor = app.visitor();
    assert_eq!(place(&travel(&visitor, &provider, susan()).await), "/");
    let me = visitor.get("/api/me").await.expect(200).body;
    assert_eq!(me["session"]["methods"], json!(["oidc"]));
    assert_eq!(me["session"]["factors"], 2);
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_the_host() {
    let provider = Provider::start().await;
    let file = file(&[("acme", &provider, "")]);
    let app = App::with(&[&file.flag, "--public-url=https://login.example"]).await;
    let begun = start(&app.visitor(), json!({"intent": "login"}))
        .await
        .expect(200);
    let cookie = begun.cookie("__Host-latchkey_oidc").unwrap();
    assert!(cookie.contains("Secure"), "{cookie}");
    assert!(
        pair(&cookie).len() == "__Host-latchkey_oidc=".len() + 64,
        "{cookie}"
    );
}

/// I11.
#[tokio::test]
async fn whoever_may_not_log_in_does_not_and_where_nobody_may_register_nobody_does() {
    let (app, provider, _file) = with_provider(&[]).await;
    let member = newcomer(&app, &provider, "susan").await;
    app.sql("update users set disabled_at = now()").await;
    let visitor = app.visitor();
    in_vain(
        &travel(&visitor, &provider, susan()).await,
        "account_disabled",
    );
    assert!(!member.is_logged_in().await);

    for (flags, more) in [
        (vec!["--registration=closed"], ""),
        (vec![], "register = false"),
    ] {
        let file = file(&[("acme", &provider, more)]);
        let app = App::with(&[&[&*file.flag], &flags[..]].concat()).await;
        let visitor = app.visitor();
        in_vain(
            &travel(&visitor, &provider, susan()).await,
            "registration_closed",
        );
        visitor
            .get("/api/login/step")
            .await
            .refused(410, "step_expired");
    }
}

#[tokio::test]
async fn an_address_only_from_userinfo_is_as_good() {
    let (app, provider, _file) = with_provider(&[]).await;
    provider.lie(Lies {
        userinfo: json!({"sub": "1", "email": "susan@acme.example", "email_verified": true, "preferred_username": "susan"}),
        ..Lies::default()
    });
    let visitor = app.visitor();
    travel(&visitor, &provider, json!({"sub": "1"})).await;
    let step = visitor.get("/api/login/step").await.expect(200).body;
    assert_eq!(step["email"], "susan@acme.example");
    assert_eq!(step["suggested_username"], "susan");
    // It must be about the same person.
    let back = travel(&app.visitor(), &provider, json!({"sub": "2"})).await;
    in_vain(&back, "oidc_failed");
}

#[tokio::test]
async fn metrics_count_who_came_back_and_how() {
    let (app, provider, _file) = with_provider(&["--metrics-listen=127.0.0.1:0"]).await;
    newcomer(&app, &provider, "susan").await;
    for _ in 0..2 {
        travel(&app.visitor(), &provider, susan()).await;
    }
    app.visitor().get("/api/oidc/acme/callback").await;
    app.sql("update users set disabled_at = now()").await;
    travel(&app.visitor(), &provider, susan()).await;
    let scrape = Scrape::at(&app).await;
    for (result, expected) in [
        ("logged_in", 2.0),
        ("choose_username", 1.0),
        ("failed", 1.0),
        ("account_disabled", 1.0),
        ("expired", 0.0),
    ] {
        let series = format!("latchkey_oidc_total{{provider=\"acme\",result=\"{result}\"}}");
        assert_eq!(scrape.value(&series), expected, "{result}");
    }
    let logins =
        |result: &str| format!("latchkey_logins_total{{method=\"oidc\",result=\"{result}\"}}");
    assert_eq!(scrape.value(&logins("good")), 3.0);
    assert_eq!(scrape.value(&logins("refused")), 1.0);
}
