//! The cookie of an unfinished login: its attributes, and what it opens.

use reqwest::Method;
use serde_json::{Value, json};

use crate::oidc::{leave, place, susan, travel, with_provider};
use crate::second_factor::{Authenticator, protected, step_now};
use crate::support::{App, PASSWORD, Reply, document, send};

pub const STEP: &str = "latchkey_step";

/// The pair that a browser sends back.
pub fn pair(cookie: &str) -> String {
    cookie.split(';').next().unwrap().to_owned()
}

fn attributes(cookie: &str) -> Vec<&str> {
    let mut all: Vec<_> = cookie.split("; ").skip(1).collect();
    all.sort_unstable();
    all
}

pub async fn with_cookie(
    app: &App,
    cookie: &str,
    method: Method,
    path: &str,
    body: Value,
) -> Reply {
    let asked = app.visitor().request(method, path).header("cookie", cookie);
    send(asked.json(&body)).await
}

#[tokio::test]
async fn the_cookie_of_a_step_is_for_this_site_and_ten_minutes() {
    for (flags, name, secure) in [
        (vec![], STEP.to_owned(), false),
        (
            vec!["--public-url=https://login.example"],
            format!("__Host-{STEP}"),
            true,
        ),
    ] {
        let app = App::with(&flags).await;
        let mut ours = None;
        // Over https no cookie jar of a client over http keeps ours.
        let susan = app.registered("susan").await;
        let login = susan.log_in("susan").await.expect(200);
        let prefix = if secure { "__Host-" } else { "" };
        let session = pair(&login.cookie(&format!("{prefix}latchkey_session")).unwrap());
        for path in ["/api/totp", "/api/totp/confirm"] {
            let code = ours
                .as_ref()
                .map(|ours: &Authenticator| ours.code_of(step_now()));
            let done = with_cookie(&app, &session, Method::POST, path, json!({"code": code})).await;
            let secret = done.body["secret"].as_str().map(ToOwned::to_owned);
            ours = ours.or(secret.map(|secret| Authenticator {
                secret,
                recovery_codes: Vec::new(),
            }));
            assert!(done.status.is_success(), "{}", done.body);
        }
        let asked = app.visitor().log_in("susan").await;
        let asked = asked.refused(401, "second_factor_required");
        assert!(asked.cookie(&format!("{prefix}latchkey_session")).is_none());
        assert!(asked.cookie(&format!("{prefix}latchkey_device")).is_none());
        let begun = asked.cookie(&name).unwrap();
        let mut expected = vec!["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax"];
        if secure {
            expected.push("Secure");
        }
        assert_eq!(attributes(&begun), expected);
        let begun = pair(&begun);
        assert!(begun.len() >= name.len() + 43, "256 bits: {begun}");
        let path = "/api/login/step";
        let cancelled = with_cookie(&app, &begun, Method::DELETE, path, json!({})).await;
        assert_cleared(&cancelled.expect(204), &name);
        let asked = app.visitor().log_in("susan").await;
        let begun = pair(&asked.cookie(&name).unwrap());
        let code = ours.unwrap().unused_code(&app).await;
        let (path, code) = ("/api/login/second-factor", json!({"code": code}));
        let done = with_cookie(&app, &begun, Method::POST, path, code).await;
        assert_cleared(&done.expect(200), &name);
    }
}

#[track_caller]
pub fn assert_cleared(reply: &Reply, name: &str) {
    let cookie = reply.cookie(name).expect("the cookie is cleared");
    assert_eq!(pair(&cookie), format!("{name}="));
    assert!(attributes(&cookie).contains(&"Max-Age=0"), "{cookie}");
    assert!(attributes(&cookie).contains(&"Path=/"), "{cookie}");
}

/// G2. Without other cookies, so that nothing else opens anything.
#[tokio::test]
async fn the_cookie_of_a_step_opens_nothing_but_the_step() {
    let app = App::start().await;
    let (_susan, _ours) = protected(&app, "susan").await;
    let asked = app.visitor().log_in("susan").await;
    let step = pair(&asked.cookie(STEP).unwrap());
    let key = step.strip_prefix("latchkey_step=").unwrap();
    let as_session = format!("latchkey_session={key}; {step}");
    let mut tried = 0;
    for (path, item) in document()["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let guarded =
                |reply: &Reply| reply.status == 401 && reply.body["code"] == "not_authenticated";
            let method: Method = method.to_uppercase().parse().unwrap();
            let target = path.replace("{id}", "00000000-0000-4000-8000-000000000000");
            let anonymous = send(app.visitor().request(method.clone(), &target)).await;
            if !guarded(&anonymous) {
                continue;
            }
            tried += 1;
            for cookie in [&step, &as_session] {
                let asked = app.visitor().request(method.clone(), &target);
                let reply = send(asked.header("cookie", cookie)).await;
                assert!(guarded(&reply), "{method} {path}: {}", reply.body);
            }
        }
    }
    assert!(tried > 30, "{tried}");
}

/// G1. Whoever knows the password, the name and the address, and has the cookie of a step, gets a session from no operation
/// but with a code.
#[tokio::test]
async fn no_way_in_leads_past_the_second_factor() {
    let (app, provider, _file) = with_provider(&[]).await;
    let (susan_here, ours) = protected(&app, "susan").await;
    let url = leave(&susan_here, json!({"intent": "link"})).await;
    place(&susan_here.get(&provider.log_in(&url, susan())).await);
    app.sql("delete from sessions").await;
    for name in ["susan", "susan@example.com", "SUSAN", "Susan@Example.com"] {
        let form = json!({
            "username": name, "email": "susan@example.com", "password": PASSWORD, "password2": PASSWORD,
            "current_password": PASSWORD, "new_password": "seven-Boats-under-9-moons", "remember_me": true,
            "trust_device": true, "factors": 2, "methods": ["password", "totp"], "second_factor_required": false,
            "token": "x".repeat(43), "name": "x", "for": "login", "intent": "login", "end_other_sessions": false,
        });
        let asked = app.visitor().post("/api/login", form.clone()).await;
        let step = pair(
            &asked
                .refused(401, "second_factor_required")
                .cookie(STEP)
                .unwrap(),
        );
        for (path, item) in document()["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                let method: Method = method.to_uppercase().parse().unwrap();
                let path = path.replace("{id}", "00000000-0000-4000-8000-000000000000");
                let path = path.replace("{provider}", "acme");
                if (&method, path.as_str()) == (&Method::DELETE, "/api/login/step") {
                    continue;
                }
                let reply = with_cookie(&app, &step, method, &path, form.clone()).await;
                let session = reply.cookie("latchkey_session");
                let given = session.is_some_and(|cookie| pair(&cookie) != "latchkey_session=");
                assert!(!given, "{path}: {}", reply.body);
            }
        }
        let back = travel(&app.visitor(), &provider, susan()).await;
        assert_eq!(place(&back), "/login?step=second_factor");
        assert_eq!(app.count("select count(*) from sessions").await, 0);
        // All of that left the step open.
        let code = json!({"code": ours.unused_code(&app).await});
        let path = "/api/login/second-factor";
        let done = with_cookie(&app, &step, Method::POST, path, code).await;
        done.expect(200);
        app.sql("delete from sessions").await;
    }
}
