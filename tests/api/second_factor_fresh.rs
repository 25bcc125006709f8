//! What needs a recent proof asks whoever has two factors for both.

use reqwest::Method;
use serde_json::{Value, json};

use crate::second_factor::{enrol, halfway, protected, show, step_now};
use crate::support::{App, PASSWORD, Reply, Visitor, document, field_codes, send};

const NEW: &str = "seven-Boats-under-9-moons";

async fn verify(visitor: &Visitor, query: &str) -> Reply {
    let asked = visitor.request(Method::GET, &format!("/api/verify{query}"));
    send(asked.header("x-forwarded-method", "GET")).await
}

async fn prove(visitor: &Visitor, form: Value) -> Reply {
    visitor.post("/api/reauthenticate", form).await
}

/// What asks for a recent proof.
const FRESH: [&str; 13] = [
    "POST /api/email/change",
    "DELETE /api/identities/00000000-0000-4000-8000-000000000000",
    "DELETE /api/me",
    "GET /api/me/export",
    "POST /api/passkeys/registration/options",
    "POST /api/passkeys/registration/verify",
    "DELETE /api/passkeys/00000000-0000-4000-8000-000000000000",
    "POST /api/recovery-codes",
    "DELETE /api/second-factor",
    "POST /api/second-factor",
    "DELETE /api/totp",
    "POST /api/totp",
    "POST /api/totp/confirm",
];

/// All operations that ask for a recent proof: whoever logged in long ago is refused there.
async fn fresh_routes(app: &App) -> Vec<(Method, String)> {
    let susan = app.logged_in("stale").await;
    app.sql("update sessions set authenticated_at = now() - interval '1 hour'")
        .await;
    // The listener brings it.
    crate::support::wait_until("it is stale", async || {
        susan.post("/api/totp", json!({})).await.status == 403
    })
    .await;
    let mut routes = Vec::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "00000000-0000-4000-8000-000000000000");
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            if path.contains("/admin/") || path == "/api/logout" {
                continue;
            }
            let reply = send(susan.request(method.clone(), &path)).await;
            if reply.body["code"] == "reauthentication_required" {
                assert_eq!(reply.body["methods"], json!(["password"]), "{path}");
                routes.push((method, path.clone()));
            }
        }
    }
    let found: Vec<_> = routes
        .iter()
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    assert_eq!(found, FRESH);
    routes
}

/// G11. A recent login with the password alone, as in a trusted browser or in a session from before.
#[tokio::test]
async fn no_operation_that_needs_a_proof_opens_by_password_alone() {
    let app = App::start().await;
    let routes = fresh_routes(&app).await;
    let old = app.logged_in("susan").await;
    let susan = app.visitor();
    susan.log_in("susan").await.expect(200);
    let ours = enrol_keeping_others(&susan).await;
    let methods = json!(["password", "totp", "recovery_code"]);
    for body in ["{}", "{\"code\": 1}", ""] {
        for (method, path) in &routes {
            let asked = old.request(method.clone(), path);
            let asked = asked.header("content-type", "application/json");
            let refused = send(asked.body(body)).await;
            let refused = refused.refused(403, "reauthentication_required");
            assert_eq!(refused.body["methods"], methods, "{path} {body}");
            assert!(refused.body["max_age"].is_u64());
        }
    }
    verify(&old, "?factors=2")
        .await
        .refused(403, "second_factor_missing");
    verify(&old, "?fresh=1")
        .await
        .refused(403, "reauthentication_required");
    assert_eq!(verify(&old, "").await.header("x-latchkey-factors"), "1");
    assert_eq!(
        verify(&susan, "?factors=2&fresh=1")
            .await
            .header("x-latchkey-factors"),
        "2"
    );
    let code = ours.unused_code(&app).await;
    prove(&old, json!({"password": PASSWORD, "code": code}))
        .await
        .expect(200);
    verify(&old, "?factors=2&fresh=1").await.expect(204);
    old.post("/api/recovery-codes", json!({})).await.expect(201);
}

async fn enrol_keeping_others(visitor: &Visitor) -> crate::second_factor::Authenticator {
    let ours = crate::second_factor::offer(visitor).await;
    let form = json!({"code": ours.code_of(step_now()), "end_other_sessions": false});
    visitor.post("/api/totp/confirm", form).await.expect(200);
    ours
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_said_inside_the_session() {
    let app = App::start().await;
    let (susan, ours) = protected(&app, "susan").await;
    let missing = prove(&susan, json!({"password": PASSWORD})).await;
    let missing = missing.refused(403, "second_factor_required");
    assert_eq!(missing.body["methods"], json!(["totp", "recovery_code"]));
    assert!(missing.cookie("latchkey_step").is_none(), "no step is made");
    assert_eq!(app.count("select count(*) from login_steps").await, 0);
    let code = ours.unused_code(&app).await;
    let recovery = &ours.recovery_codes[0];
    for (form, errors) in [
        (
            json!({"password": "wrong-Password-9", "code": code}),
            "password: incorrect",
        ),
        (
            json!({"password": "wrong-Password-9"}),
            "password: incorrect",
        ),
        (
            json!({"password": PASSWORD, "code": ours.wrong_code()}),
            "code: incorrect",
        ),
        (
            json!({"password": PASSWORD, "recovery_code": "0000-0000-0000-0000"}),
            "recovery_code: incorrect",
        ),
        (json!({"code": code}), "password: required"),
        (
            json!({"password": PASSWORD, "code": code, "recovery_code": recovery}),
            "recovery_code: invalid",
        ),
    ] {
        let wrong = prove(&susan, form.clone()).await;
        let wrong = wrong.refused(422, "validation_failed");
        assert_eq!(field_codes(&wrong.body), [errors], "{form}");
        assert!(susan.is_logged_in().await);
    }
    // None of them used the code up.
    prove(&susan, json!({"password": PASSWORD, "code": code}))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_proof_uses_its_code_up() {
    let app = App::start().await;
    let (susan, ours) = protected(&app, "susan").await;
    let (code, recovery) = (ours.unused_code(&app).await, &ours.recovery_codes[0]);
    let form = json!({"password": PASSWORD, "code": code});
    prove(&susan, form.clone()).await.expect(200);
    let again = prove(&susan, form).await;
    assert_eq!(field_codes(&again.expect(422).body), ["code: incorrect"]);
    let form = json!({"password": PASSWORD, "recovery_code": recovery});
    prove(&susan, form.clone()).await.expect(200);
    let me = susan.get("/api/me").await.expect(200).body;
    assert_eq!(
        me["session"]["methods"],
        json!(["password", "recovery_code"])
    );
    let again = prove(&susan, form).await;
    assert_eq!(
        field_codes(&again.expect(422).body),
        ["recovery_code: incorrect"]
    );
}

/// G11.
#[tokio::test]
async fn after_a_proof_the_old_cookie_is_dead_on_every_instance() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = halfway(&app, "susan").await;
    let login = show(&browser, &ours.unused_code(&app).await)
        .await
        .expect(200);
    let old = login.session_cookie();
    let with_old = async |app: &App| {
        let asked = app.visitor().request(Method::GET, "/api/me");
        send(asked.header("cookie", &old)).await
    };
    with_old(&app).await.expect(200);
    with_old(&sibling).await.expect(200);
    let form = json!({"password": PASSWORD, "code": ours.unused_code(&app).await});
    let proven = prove(&browser, form).await.expect(200);
    assert_ne!(proven.session_cookie(), old);
    with_old(&app).await.refused(401, "not_authenticated");
    crate::support::wait_until("the other instance knows", async || {
        with_old(&sibling).await.status == 401
    })
    .await;
    let me = browser.get("/api/me").await.expect(200).body;
    assert_eq!(me["session"]["id"], login.body["session"]["id"]);
    assert_eq!(me["session"]["methods"], json!(["password", "totp"]));
}

#[tokio::test]
async fn a_new_password_makes_no_session_of_two_factors_fresh() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let ours = enrol(&susan).await;
    app.sql("update sessions set authenticated_at = now() - interval '1 hour'")
        .await;
    crate::support::wait_until("it is stale", async || {
        susan.post("/api/totp", json!({})).await.status == 403
    })
    .await;
    let form = json!({"current_password": PASSWORD, "new_password": NEW});
    susan.post("/api/password/change", form).await.expect(200);
    susan
        .post("/api/recovery-codes", json!({}))
        .await
        .refused(403, "reauthentication_required");
    verify(&susan, "?fresh=1")
        .await
        .refused(403, "reauthentication_required");
    verify(&susan, "?factors=2").await.expect(204);
    // The session keeps its factors; with one it gets none.
    let me = susan.get("/api/me").await.expect(200).body;
    assert_eq!(me["session"]["factors"], 2);
    let form = json!({"password": NEW, "code": ours.unused_code(&app).await});
    prove(&susan, form).await.expect(200);
    verify(&susan, "?fresh=1&factors=2").await.expect(204);
}

/// Whoever reads the user again first, the session that changed its factors knows them.
#[tokio::test]
async fn a_session_knows_at_once_how_many_factors_it_has() {
    let app = App::start().await;
    let (susan, other) = (app.logged_in("susan").await, app.visitor());
    other.log_in("susan").await.expect(200);
    for round in 0..10 {
        for visitor in [&susan, &other] {
            visitor.get("/api/me").await.expect(200);
        }
        let _ours = enrol_keeping_others(&susan).await;
        other.get("/api/me").await.expect(200);
        let me = susan.get("/api/me").await.expect(200).body;
        assert_eq!(me["session"]["factors"], 2, "round {round}");
        let form = json!({"end_other_sessions": false});
        let off = susan.request(Method::DELETE, "/api/totp").json(&form);
        send(off).await.expect(200);
        other.get("/api/me").await.expect(200);
        let me = susan.get("/api/me").await.expect(200).body;
        assert_eq!(me["session"]["factors"], 1, "round {round}");
    }
}
