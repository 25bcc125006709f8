//! K2: a backend learns who calls from Latchkey, and from nobody else.

use serde_json::Value;

use crate::behind_both;
use crate::front::Kind;
use crate::house::{Answer, House};
use crate::support::wait_until;

behind_both![
    a_backend_learns_who_calls,
    nobody_passes_as_somebody_else,
    the_app_and_the_api_are_served,
];

/// What a client might try. nginx cannot remove headers by a pattern, so names that Latchkey does not use pass there.
const FORGED: &str = "X-Latchkey-User-Id: admin
x-latchkey-user-id: admin
X-LATCHKEY-USERNAME: admin
X-Latchkey-Email: admin@example.com
X-Latchkey-Email: admin@example.com
X-Latchkey-Email-Verified: true
X-Latchkey-Roles: admin
x-latchkey-roles: user,admin
X_Latchkey_Roles: admin
x_latchkey_user_id: admin
X-Latchkey_Roles: admin
X_Latchkey-Username: admin
X-Latchkey-Factors: 2
X-Latchkey-Session-Id: 1
X-Latchkey-Assertion: eyJ";

fn expected(me: &Value, email: &str, roles: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let values = [
        ("email", email.to_owned()),
        ("email-verified", "false".to_owned()),
        ("factors", "1".to_owned()),
        ("roles", roles.to_owned()),
        ("session-id", text(&me["session"]["id"])),
        ("user-id", text(&me["id"])),
        ("username", text(&me["username"])),
    ];
    let named = values.map(|(name, value)| (format!("x-latchkey-{name}"), value));
    named.to_vec()
}

async fn a_backend_learns_who_calls(kind: Kind) {
    let house = House::behind(kind).await;
    let (susan, cookie) = house.logged_in("susan").await;
    let me = susan.get("/api/me").await.expect(200).body;
    let ask = async || -> Answer {
        let head = format!("GET /backend/a?b=c HTTP/1.1\nCookie: {cookie}");
        house.ask(&head).await.expect(200)
    };
    let answer = ask().await;
    assert!(answer.body.starts_with("GET /backend/a?b=c "));
    assert_eq!(
        answer.latchkey_headers(),
        expected(&me, "susan@example.com", "user")
    );
    assert!(answer.body.contains("127.0.0.1"), "X-Forwarded-For");
    for n in 10..60 {
        // The longest that there are.
        let area = format!("{0}/x{0}/{0}", "x".repeat(28));
        let sql = format!(
            "insert into user_roles (user_id, role, area) select id, 'editor{n}', '{area}' from users"
        );
        house.app().sql(&sql).await;
    }
    wait_until("fifty roles reach the backend", async || {
        let headers = ask().await.latchkey_headers();
        headers[3].1.split(',').count() == 51
    })
    .await;
}

async fn nobody_passes_as_somebody_else(kind: Kind) {
    let house = House::behind(kind).await;
    let nobody = format!("GET /backend/ HTTP/1.1\n{FORGED}");
    house.ask(&nobody).await.expect(401);
    let (susan, cookie) = house.logged_in("susan").await;
    let me = susan.get("/api/me").await.expect(200).body;
    house
        .app()
        .sql("update users set email = null, pending_email = 'x@example.com'")
        .await;
    wait_until("there is no address", async || {
        let me = susan.get("/api/me").await.expect(200).body;
        me["email"].is_null()
    })
    .await;
    for order in [
        format!("Cookie: {cookie}\n{FORGED}"),
        format!("{FORGED}\nCookie: {cookie}"),
    ] {
        let head = format!("GET /backend/ HTTP/1.1\n{order}");
        let answer = house.ask(&head).await.expect(200);
        assert_eq!(answer.latchkey_headers(), expected(&me, "-", "user"));
        let head = format!("GET /backend/editors/ HTTP/1.1\n{order}");
        house.ask(&head).await.expect(403);
    }
    // RFC 9110 7.6.1: a proxy removes what Connection names.
    let head = format!(
        "GET /backend/ HTTP/1.1\nCookie: {cookie}\n{FORGED}\nConnection: close, X-Latchkey-User-Id, X-Latchkey-Roles"
    );
    let answer = house.ask(&head).await.expect(200);
    assert_eq!(answer.latchkey_headers(), expected(&me, "-", "user"));
}

async fn the_app_and_the_api_are_served(kind: Kind) {
    let house = House::behind(kind).await;
    for path in ["/", "/login", "/verify/user"] {
        let answer = house.ask(&format!("GET {path} HTTP/1.1")).await;
        let is_app = answer.status == 200 && answer.body == "the app";
        let is_internal = matches!(kind, Kind::Nginx) && path == "/verify/user";
        assert!(is_app || is_internal && answer.status == 404, "{path}");
    }
    let answer = house.ask("GET /api/me HTTP/1.1").await.expect(401);
    assert!(answer.body.contains("not_authenticated"));
}
