//! Providers that lie, and browsers that bring what is not theirs.

use reqwest::header::COOKIE;
use serde_json::{Value, json};

use crate::oidc::{PAGES, in_vain, leave, newcomer, place, start, susan, travel, with_provider};
use crate::second_factor::seconds_now;
use crate::support::provider::{CLIENT_ID, Lies, Provider, Signature, file};
use crate::support::{App, field_codes, send};

fn wrong_claims(issuer: &str) -> Vec<Value> {
    let now = seconds_now();
    vec![
        json!({"iss": "https://accounts.google.com"}),
        json!({"iss": format!("{issuer}/")}),
        json!({"iss": null}),
        json!({"aud": "somebody else"}),
        json!({"aud": [CLIENT_ID, "somebody else"]}),
        json!({"aud": null}),
        json!({"aud": []}),
        json!({"azp": "somebody else"}),
        json!({"exp": now - 120}),
        json!({"exp": null}),
        json!({"iat": now + 120}),
        json!({"nonce": null}),
        json!({"nonce": "0".repeat(64)}),
        json!({"nonce": ""}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "x".repeat(256)}),
        json!({"sub": "a\0b"}),
    ]
}

fn lying(claims: Value) -> Lies {
    Lies {
        claims,
        ..Lies::default()
    }
}

async fn logs_nobody_in(app: &App, provider: &Provider, lies: Lies) {
    let what = format!("{} {:?} {}", lies.claims, lies.signature, lies.header);
    provider.lie(lies);
    let visitor = app.visitor();
    let back = travel(&visitor, provider, susan()).await;
    let in_vain = "/login?error=oidc_failed&provider=acme";
    assert_eq!(place(&back), in_vain, "{what}");
    assert!(!visitor.is_logged_in().await, "{what}");
}

/// I2.
#[tokio::test]
async fn an_id_token_with_a_wrong_claim_logs_nobody_in() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    for claims in wrong_claims(&provider.issuer) {
        logs_nobody_in(&app, &provider, lying(claims)).await;
    }
    let now = seconds_now();
    for claims in [
        json!({"exp": now - 30}),
        json!({"iat": now + 30}),
        json!({"aud": [CLIENT_ID]}),
        json!({"azp": CLIENT_ID}),
    ] {
        provider.lie(lying(claims.clone()));
        let back = travel(&app.visitor(), &provider, susan()).await;
        assert_eq!(place(&back), "/", "{claims}");
    }
}

/// I2.
#[tokio::test]
async fn an_id_token_with_a_wrong_signature_logs_nobody_in() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    for signature in [
        Signature::Forged,
        Signature::None,
        Signature::HmacOfPublicKey,
        Signature::HmacOfSecret,
        Signature::OfOtherClaims,
    ] {
        let lies = Lies {
            signature,
            ..Lies::default()
        };
        logs_nobody_in(&app, &provider, lies).await;
    }
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "ES384"}),
        json!({"alg": "RS256"}),
        json!({"kid": "another"}),
        json!({"crit": ["exp"]}),
        json!({"typ": "at+jwt"}),
    ] {
        let lies = Lies {
            header,
            ..Lies::default()
        };
        logs_nobody_in(&app, &provider, lies).await;
    }
}

/// I3.
#[tokio::test]
async fn the_answer_of_another_provider_is_refused() {
    let (acme, other) = (Provider::start().await, Provider::start().await);
    let file = file(&[("acme", &acme, ""), ("other", &other, "")]);
    let app = App::with(&[&file.flag]).await;
    newcomer(&app, &acme, "susan").await;
    // A's code and state at B's callback.
    let visitor = app.visitor();
    let url = leave(&visitor, json!({"intent": "login"})).await;
    let back = acme.log_in(&url, susan());
    let reply = visitor.get(&back.replace("/acme/", "/other/")).await;
    assert_eq!(place(&reply), "/login?error=oidc_expired&provider=other");
    assert_eq!(other.asked("/token"), 0);
    // The way back stays open to whom it belongs.
    assert_eq!(place(&visitor.get(&back).await), "/");

    for iss in [other.issuer.as_str(), "", "https://accounts.google.com"] {
        acme.lie(Lies {
            answer_iss: Some(iss.to_owned()),
            ..Lies::default()
        });
        let asked = acme.asked("/token");
        in_vain(&travel(&app.visitor(), &acme, susan()).await, "oidc_failed");
        assert_eq!(
            acme.asked("/token"),
            asked,
            "a code for nobody is shown to nobody"
        );
    }
    // Without the announcement it may be missing, but not another.
    let silent = Provider::start().await;
    let quiet = json!({"authorization_response_iss_parameter_supported": null});
    let more = crate::support::provider::file(&[("acme", &silent, "")]);
    let app = App::with(&[&more.flag]).await;
    for (iss, expected) in [
        ("", "/register?step=choose_username"),
        (
            "https://x.example",
            "/login?error=oidc_failed&provider=acme",
        ),
    ] {
        silent.lie(Lies {
            metadata: quiet.clone(),
            answer_iss: Some(iss.to_owned()),
            ..Lies::default()
        });
        assert_eq!(
            place(&travel(&app.visitor(), &silent, susan()).await),
            expected
        );
    }
}

#[tokio::test]
async fn whatever_the_provider_says_no_with_becomes_one_of_our_words() {
    let (app, provider, _file) = with_provider(&[]).await;
    let evil = "\u{1b}[31m\r\nSet-Cookie: x=y\n<script>";
    for (error, expected) in [
        ("access_denied", "oidc_denied"),
        ("server_error", "oidc_unavailable"),
        ("temporarily_unavailable", "oidc_unavailable"),
        ("login_required", "oidc_failed"),
        (evil, "oidc_failed"),
    ] {
        let visitor = app.visitor();
        let url = leave(&visitor, json!({"intent": "login"})).await;
        let answer = [("error", error), ("error_description", evil)];
        let back = visitor.get(&provider.back(&url, &answer)).await;
        in_vain(&back, expected);
        assert!(!format!("{:?}", back.headers).contains("script"));
        // Used up.
        in_vain(
            &visitor.get(&provider.back(&url, &answer)).await,
            "oidc_expired",
        );
    }
}

/// I8, and whatever else a browser may bring.
#[tokio::test]
async fn a_forged_way_back_neither_logs_in_nor_out() {
    let (app, provider, _file) = with_provider(&[]).await;
    let member = newcomer(&app, &provider, "susan").await;
    let visitor = app.visitor();
    let url = leave(&visitor, json!({"intent": "login"})).await;
    let good = provider.log_in(&url, susan());
    let state = "0".repeat(64);
    for query in [
        String::new(),
        "state=".to_owned(),
        format!("state={state}"),
        format!("state={state}&code=x"),
        format!("code=x&state={}", "9".repeat(10_000)),
        "state=%00&code=%ff".to_owned(),
        "error=access_denied".to_owned(),
        format!("{}&code=other", good.split_once('?').unwrap().1),
        format!("{}&state={state}", good.split_once('?').unwrap().1),
    ] {
        for browser in [&visitor, &member] {
            let logged_in = browser.is_logged_in().await;
            let reply = browser
                .get(&format!("/api/oidc/acme/callback?{query}"))
                .await;
            let page = place(&reply);
            assert!(
                page.contains("error=oidc_failed") || page.contains("error=oidc_expired"),
                "{query}: {page}"
            );
            assert_eq!(browser.is_logged_in().await, logged_in, "{query}");
        }
    }
    let nowhere = visitor.get("/api/oidc/%0d%0aevil/callback?state=x").await;
    assert_eq!(place(&nowhere), "/login?error=oidc_failed");
    for cookie in ["latchkey_oidc=", "latchkey_oidc=x", "latchkey_oidc=\u{e9}"] {
        let forged = app.visitor().request(reqwest::Method::GET, &good);
        in_vain(&send(forged.header(COOKIE, cookie)).await, "oidc_expired");
    }
    assert_eq!(place(&visitor.get(&good).await), "/");

    let foreign = app
        .visitor()
        .request(reqwest::Method::POST, "/api/oidc/acme/start");
    let foreign = foreign
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "cross-site");
    let foreign = send(foreign.json(&json!({"intent": "login"}))).await;
    foreign.refused(403, "cross_origin_request");
}

#[tokio::test]
async fn what_starts_a_journey_is_checked() {
    let (app, _provider, _file) = with_provider(&[]).await;
    let visitor = app.visitor();
    for (form, expected) in [
        (json!({}), "intent: required"),
        (json!({"intent": "steal"}), "intent: invalid"),
        (json!({"intent": 7}), "intent: invalid"),
        (
            json!({"intent": "login", "remember_me": "yes"}),
            "remember_me: invalid",
        ),
    ] {
        let wrong = start(&visitor, form)
            .await
            .refused(422, "validation_failed");
        assert_eq!(field_codes(&wrong.body), [expected]);
    }
    let all = json!({"intent": "steal", "remember_me": "yes"});
    let wrong = start(&visitor, all).await.refused(422, "validation_failed");
    assert_eq!(field_codes(&wrong.body).len(), 2);
    // Who may ask comes before what they ask.
    let form = json!({"intent": "link", "remember_me": "yes"});
    start(&visitor, form)
        .await
        .refused(401, "not_authenticated");
    let nobody = visitor
        .post("/api/oidc/nobody/start", json!({"intent": "login"}))
        .await;
    nobody.refused(404, "item_not_found");
}

/// I7.
#[tokio::test]
async fn next_leads_only_to_pages_of_the_app() {
    let provider = Provider::start().await;
    let file = file(&[("acme", &provider, "")]);
    let app = App::with(&[
        &file.flag,
        "--app-url=http://localhost:5173",
        "--trusted-origins=http://localhost:5173",
        "--pages=login=/in?view=login,account=/me,register=/new",
    ])
    .await;
    let at_app = |reply: &crate::support::Reply| {
        let place = reply.header("location");
        place
            .strip_prefix("http://localhost:5173")
            .unwrap_or_else(|| panic!("{place}"))
            .to_owned()
    };
    let visitor = app.visitor();
    let back = travel(&visitor, &provider, susan()).await;
    assert_eq!(at_app(&back), "/new?step=choose_username");
    crate::oidc::choose(&visitor, json!({"username": "susan"}))
        .await
        .expect(200);
    for (next, expected) in [
        (json!("/profile#x"), "/profile#x"),
        (json!("//evil.example"), "/"),
        (json!("/..//evil.example"), "/"),
        (json!("/\\evil.example"), "/"),
        (json!("/%09/evil.example"), "/"),
        (json!("https://evil.example"), "/"),
        (json!("javascript:alert(1)"), "/"),
        (json!(7), "/"),
        (Value::Null, "/"),
    ] {
        let visitor = app.visitor();
        let url = leave(&visitor, json!({"intent": "login", "next": next})).await;
        let back = visitor.get(&provider.log_in(&url, susan())).await;
        assert_eq!(at_app(&back), expected, "{next}");
    }
    let failed = app.visitor().get("/api/oidc/acme/callback").await;
    assert_eq!(
        at_app(&failed),
        "/in?view=login&error=oidc_failed&provider=acme"
    );
    assert_ne!(PAGES, "http://localhost:5173");
}

/// I9.
#[tokio::test]
async fn no_token_of_a_provider_is_kept() {
    let (app, provider, _file) = with_provider(&[]).await;
    let visitor = newcomer(&app, &provider, "susan").await;
    let back = travel(&app.visitor(), &provider, susan()).await;
    let headers = format!("{:?}", back.headers);
    assert!(
        !headers.contains("never-kept") && !headers.contains("eyJ"),
        "{headers}"
    );
    let export = visitor
        .get("/api/me/export")
        .await
        .expect(200)
        .body
        .to_string();
    assert!(!export.contains("never-kept") && !export.contains("eyJ"));
    let tables = app
        .sql("select tablename from pg_tables where schemaname = 'public'")
        .await;
    for table in tables.iter().flatten().flatten() {
        for needle in ["never-kept", "eyJ"] {
            let found = format!("select count(*) from {table} t where t::text like '%{needle}%'");
            assert_eq!(app.count(&found).await, 0, "{table}");
        }
    }
}
