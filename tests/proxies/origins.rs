//! K3: a page of another site causes nothing at a backend.

use crate::behind_both;
use crate::front::Kind;
use crate::house::House;

behind_both![
    pages_of_other_sites_are_refused,
    bodies_reach_the_backend_whole,
];

async fn pages_of_other_sites_are_refused(kind: Kind) {
    let house = House::behind(kind).await;
    let (_, cookie) = house.logged_in("susan").await;
    let ask = async |method: &str, lines: &str| {
        let head = format!("{method} /backend/ HTTP/1.1\nCookie: {cookie}\n{lines}");
        house.ask(&head).await.status
    };
    let elsewhere = "Sec-Fetch-Site: cross-site\nOrigin: https://evil.example";
    let here = format!("Sec-Fetch-Site: same-origin\nOrigin: {}", house.origin());
    for method in ["POST", "PUT", "PATCH", "DELETE", "FROB"] {
        assert_eq!(ask(method, elsewhere).await, 403, "{method}");
        assert_eq!(ask(method, "Sec-Fetch-Site: same-site").await, 403);
        assert_eq!(ask(method, "Origin: https://evil.example").await, 403);
        assert_eq!(ask(method, "Origin: null").await, 403);
        for claim in ["X-Forwarded-Method: GET", "X-Original-Method: GET"] {
            let lines = format!("{elsewhere}\n{claim}");
            assert_eq!(ask(method, &lines).await, 403, "{method} {claim}");
        }
        assert_eq!(ask(method, &here).await, 200, "{method}");
        assert_eq!(
            ask(method, &format!("Origin: {}", house.origin())).await,
            200
        );
        // No browser at all.
        assert_eq!(ask(method, "User-Agent: curl").await, 200, "{method}");
    }
    for claim in [
        "Accept: */*",
        "X-Forwarded-Method: POST",
        "X-Original-Method: POST",
    ] {
        let lines = format!("{here}\n{claim}");
        assert_eq!(ask("GET", &lines).await, 200, "{claim}");
    }
    assert_eq!(ask("GET", elsewhere).await, 200, "a link");
}

/// Latchkey is asked without the body, which would be too large for it.
async fn bodies_reach_the_backend_whole(kind: Kind) {
    let house = House::behind(kind).await;
    let (_, cookie) = house.logged_in("susan").await;
    let body = "x".repeat(500_000);
    let head = format!("POST /backend/ HTTP/1.1\nCookie: {cookie}\nContent-Type: text/plain");
    let answer = house.ask_with_body(&head, &body).await.expect(200);
    assert!(answer.body.contains("body: 500000"), "{}", answer.body);
}
