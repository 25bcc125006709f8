//! Forward auth: what the answer to a proxy says, and when it refuses.

use reqwest::Method;
use serde_json::json;

use crate::recovery::with_mail;
use crate::support::{App, PASSWORD, Reply, Visitor, field_codes, send, wait_until};

/// Asks as a proxy does for a request with this method.
async fn ask(visitor: &Visitor, query: &str, method: &str) -> Reply {
    let asked = visitor.request(Method::GET, &format!("/api/verify{query}"));
    send(asked.header("x-forwarded-method", method)).await
}

async fn grant(app: &App, name: &str, roles: &[&str]) {
    for role in roles {
        let (role, area) = role.split_once(':').unwrap_or((role, ""));
        app.sql(&format!(
            "insert into user_roles (user_id, role, area) select id, '{role}', '{area}' from users where username = '{name}'"
        ))
        .await;
    }
}

#[tokio::test]
async fn the_answer_names_the_user_in_headers_that_are_always_there() {
    let app = App::start().await;
    ask(&app.visitor(), "", "GET")
        .await
        .refused(401, "not_authenticated");
    let susan = app.logged_in("susan").await;
    let me = susan.get("/api/me").await.expect(200).body;
    let answer = ask(&susan, "", "GET").await.expect(204);
    for (name, value) in [
        ("user-id", me["id"].as_str().unwrap()),
        ("username", "susan"),
        ("email", "susan@example.com"),
        ("email-verified", "false"),
        ("roles", "user"),
        ("factors", "1"),
        ("session-id", me["session"]["id"].as_str().unwrap()),
    ] {
        assert_eq!(
            answer.header(&format!("x-latchkey-{name}")),
            value,
            "{name}"
        );
    }
    grant(&app, "susan", &["viewer:media/7", "editor"]).await;
    wait_until("the roles are known", async || {
        ask(&susan, "", "GET").await.header("x-latchkey-roles") == "user,editor,viewer:media/7"
    })
    .await;
    app.sql("update users set email = null, pending_email = 'x@example.com'")
        .await;
    wait_until("there is no address", async || {
        ask(&susan, "", "GET").await.header("x-latchkey-email") == "-"
    })
    .await;
    susan.log_out().await.expect(204);
    ask(&susan, "", "GET")
        .await
        .refused(401, "not_authenticated");
}

/// K5.
#[tokio::test]
async fn header_values_are_ascii_and_lead_back_to_the_address() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    for address in [
        "jos\u{e9}@example.com",
        "100%25@example.com",
        "\u{6c34}@\u{6c34}.example",
        "a'b+c@example.com",
    ] {
        app.sql(&format!(
            "update users set email = '{}'",
            address.replace('\'', "''")
        ))
        .await;
        wait_until("the address is known", async || {
            let answer = ask(&susan, "", "GET").await.expect(204);
            let value = answer.header("x-latchkey-email").to_owned();
            assert!(value.bytes().all(|byte| byte.is_ascii_graphic()));
            let decoded = percent_encoding::percent_decode_str(&value).decode_utf8();
            decoded.unwrap() == address
        })
        .await;
    }
    let area = format!("{0}/{0}", "x".repeat(28));
    let many: Vec<_> = (10..60).map(|n| format!("editor{n}:{area}")).collect();
    grant(
        &app,
        "susan",
        &many.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    wait_until("fifty roles fit", async || {
        let answer = ask(&susan, "", "GET").await.expect(204);
        let size: usize = answer
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        assert!(size <= 8192, "{size}");
        answer.header("x-latchkey-roles").split(',').count() == 51
    })
    .await;
}

/// J8 and K4.
#[tokio::test]
async fn roles_are_asked_for_by_name_and_area() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    grant(&app, "susan", &["editor:media", "viewer"]).await;
    wait_until("the roles are known", async || {
        ask(&susan, "", "GET")
            .await
            .header("x-latchkey-roles")
            .contains("viewer")
    })
    .await;
    for (query, passes) in [
        ("?role=user", true),
        ("?role=editor:media", true),
        ("?role=editor:media/7", true),
        ("?role=editor:mediathek", false),
        ("?role=editor", false),
        ("?role=viewer:anything/at/all", true),
        ("?role=admin", false),
        ("?role=admin&role=viewer", true),
        ("?role=editor%3Amedia%2F7", true),
    ] {
        let answer = ask(&susan, query, "POST").await;
        if passes {
            answer.expect(204);
        } else {
            let refused = answer.refused(403, "forbidden");
            assert!(refused.body["needs"][0].is_string(), "{}", refused.body);
        }
    }
    let thousand = |role: &str| format!("?{}", format!("role={role}&").repeat(1000));
    let last = format!("{}role=viewer", thousand("nothing"));
    ask(&susan, &last, "POST").await.expect(204);
    let malformed = ask(&susan, &thousand(""), "POST").await;
    let malformed = malformed.refused(422, "validation_failed").body;
    assert_eq!(field_codes(&malformed), ["role: invalid"]);
}

#[tokio::test]
async fn a_word_that_is_not_understood_opens_nothing() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    for (query, code) in [
        ("?role=", "role: invalid"),
        ("?role=Editor", "role: invalid"),
        ("?role=editor:../x", "role: invalid"),
        ("?role=editor:a//b", "role: invalid"),
        ("?factors=3", "factors: invalid"),
        ("?fresh=x", "fresh: invalid"),
        ("?fresh", "fresh: invalid"),
        ("?verified=0", "verified: invalid"),
        ("?roles=editor", "query: invalid"),
    ] {
        let refused = ask(&susan, query, "GET")
            .await
            .refused(422, "validation_failed");
        assert_eq!(field_codes(&refused.body), [code], "{query}");
    }
}

#[tokio::test]
async fn a_second_factor_a_proven_address_and_a_recent_login_can_be_asked_for() {
    let (app, smtp) = with_mail(&["--reauth-for=1s"]).await;
    let susan = app.logged_in("susan").await;
    ask(&susan, "?factors=1", "GET").await.expect(204);
    ask(&susan, "?factors=2", "GET")
        .await
        .refused(403, "second_factor_missing");
    ask(&susan, "?verified=1", "GET")
        .await
        .refused(403, "email_not_verified");
    let token = smtp.wait_for(1).await[0].token();
    susan
        .post("/api/email/verify", json!({"token": token}))
        .await
        .expect(204);
    wait_until("the address is proven", async || {
        ask(&susan, "?verified=1", "GET").await.status == 204
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let stale = ask(&susan, "?fresh=1", "GET").await;
    assert_eq!(
        stale.refused(403, "reauthentication_required").body["max_age"],
        1
    );
    let form = json!({"password": PASSWORD});
    susan.post("/api/reauthenticate", form).await.expect(200);
    ask(&susan, "?fresh=1", "GET").await.expect(204);
}

/// K3.
/// A WebSocket is opened with GET, and can do anything then.
#[tokio::test]
async fn a_page_of_another_site_opens_no_websocket() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    for (name, value) in [("sec-fetch-mode", "websocket"), ("upgrade", "websocket")] {
        for (site, status) in [("same-site", 403), ("same-origin", 204)] {
            let asked = susan.request(Method::GET, "/api/verify");
            let asked = asked.header("x-forwarded-method", "GET");
            let asked = asked.header("sec-fetch-site", site).header(name, value);
            assert_eq!(send(asked).await.status.as_u16(), status, "{name} {site}");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_site_causes_no_unsafe_request() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let from = async |site: &str, methods: &[(&str, &str)]| {
        let mut asked = susan.request(Method::GET, "/api/verify");
        asked = asked.header("sec-fetch-site", site);
        for (name, method) in methods {
            asked = asked.header(*name, *method);
        }
        send(asked).await.status.as_u16()
    };
    let (forwarded, original) = ("x-forwarded-method", "x-original-method");
    for method in ["POST", "PUT", "PATCH", "DELETE", "FROB", "get"] {
        assert_eq!(
            from("cross-site", &[(forwarded, method)]).await,
            403,
            "{method}"
        );
        assert_eq!(
            from("cross-site", &[(original, method)]).await,
            403,
            "{method}"
        );
        assert_eq!(
            from("same-origin", &[(forwarded, method)]).await,
            204,
            "{method}"
        );
    }
    for method in ["GET", "HEAD"] {
        assert_eq!(
            from("cross-site", &[(forwarded, method)]).await,
            204,
            "{method}"
        );
    }
    assert_eq!(from("cross-site", &[]).await, 403, "no method");
    assert_eq!(from("none", &[]).await, 204);
    for twice in [
        [(forwarded, "GET"), (original, "POST")],
        [(forwarded, "POST"), (original, "GET")],
        [(forwarded, "GET"), (forwarded, "GET")],
    ] {
        assert_eq!(from("cross-site", &twice).await, 403, "{twice:?}");
    }
    assert_eq!(
        from("cross-site", &[(forwarded, "GET"), (original, "GET")]).await,
        204
    );
}
