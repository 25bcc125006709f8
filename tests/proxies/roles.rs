//! K4: a place for one role is closed to everybody else, however its path is written.

use crate::behind_both;
use crate::front::Kind;
use crate::house::House;
use crate::support::wait_until;

behind_both![
    a_place_for_a_role_is_closed_without_it,
    spelling_the_path_differently_opens_nothing,
];

async fn a_place_for_a_role_is_closed_without_it(kind: Kind) {
    let house = House::behind(kind).await;
    let (_, cookie) = house.logged_in("susan").await;
    assert_eq!(house.status("/backend/editors/", "a=b").await, 401);
    assert_eq!(house.status("/backend/editors/x", &cookie).await, 403);
    let grant = async |role: &str, area: &str| {
        let sql = format!(
            "insert into user_roles (user_id, role, area) select id, '{role}', '{area}' from users"
        );
        house.app().sql(&sql).await;
        wait_until("the role is known", async || {
            let head = format!("GET /backend/ HTTP/1.1\nCookie: {cookie}");
            let answer = house.ask(&head).await.expect(200);
            answer.latchkey_headers()[3].1.contains(role)
        })
        .await;
    };
    grant("viewer", "").await;
    assert_eq!(house.status("/backend/editors/x", &cookie).await, 403);
    grant("editor", "").await;
    assert_eq!(house.status("/backend/editors/x", &cookie).await, 200);
    house.app().sql("delete from user_roles").await;
    wait_until("the role is gone", async || {
        house.status("/backend/editors/x", &cookie).await == 403
    })
    .await;
}

async fn spelling_the_path_differently_opens_nothing(kind: Kind) {
    let house = House::behind(kind).await;
    let (_, cookie) = house.logged_in("susan").await;
    for path in [
        "/backend//editors/x",
        "//backend/editors/x",
        "/backend/./editors/x",
        "/backend/x/../editors/x",
        "/backend/%65ditors/x",
        "/backend/editors%2fx",
        "/backend/x/%2e%2e/editors/x",
        "/backend%2feditors/x",
        // Express and others take these for /backend/editors/x.
        "/backend/EDITORS/x",
        "/Backend/editors/x",
        "/backend/editors",
        "/backend/editors;/x",
        "/backend/editors%3b/x",
        "/backend/editors\\x",
    ] {
        let head = format!("GET {path} HTTP/1.1\nCookie: {cookie}");
        let answer = house.ask(&head).await;
        let reached = answer.body.starts_with("GET /") || answer.body.starts_with("GET //");
        assert!(!reached, "{path} reached the backend: {}", answer.body);
    }
}
