//! The form of `/login`, and where it leads.

use reqwest::Url;
use serde_json::json;

use crate::browser::Browser;
use crate::hands::{Button, Link};
use crate::house::House;
use crate::needs::Need;
use crate::support::PASSWORD;

crate::tests! {
    Need::Browser => [
        a_wrong_password_is_told_and_the_right_one_works,
        a_protected_page_is_shown_after_the_login_it_asked_for,
        next_is_kept_by_somebody_who_registers_first,
        a_hostile_next_leads_home,
        somebody_who_is_logged_in_needs_no_login_page,
        the_keyboard_is_enough,
        enter_in_the_password_field_sends_the_form,
        a_login_page_at_the_start_leads_on_to_the_account,
        what_a_proxy_says_in_words_of_its_own_is_told,
    ]
}

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

async fn a_wrong_password_is_told_and_the_right_one_works() {
    let house = House::open().await;
    house.register("susan").await;
    let susan = house.browser().await;
    susan.open("/login").await;
    susan.enter("susan", "another-Lamp-42-river").await;
    let wrong = house.visitor();
    let wrong = wrong
        .post(
            "/api/login",
            json!({"username": "susan", "password": "another-Lamp-42-river"}),
        )
        .await
        .expect(401);
    let detail = wrong.body["detail"].as_str().unwrap();
    susan.reads("[role=alert]", detail).await;
    susan.at("/login").await;
    assert_eq!(house.sessions().await, 0);

    susan.fill("Password", PASSWORD).await;
    susan.click(Button, "Sign In").await;
    susan.heads("Hi, susan!").await;
    susan.counts("[role=alert]", 0).await;
}

async fn a_protected_page_is_shown_after_the_login_it_asked_for() {
    let house = House::open().await;
    house.register("susan").await;
    let susan = house.browser().await;
    susan.open("/account").await;
    susan.at("/login?next=%2Faccount").await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("Account").await;
    susan.at("/account").await;
}

/// A detour by the registration included.
async fn next_is_kept_by_somebody_who_registers_first() {
    let house = House::open().await;
    let susan = house.browser().await;
    susan.open("/account").await;
    susan.click(Link, "Click to Register!").await;
    susan.heads("Register").await;
    house.register("susan").await;
    susan.click(Link, "Sign in").await;
    susan.enter("susan", PASSWORD).await;
    susan.at("/account").await;
}

async fn a_hostile_next_leads_home() {
    let house = House::open().await;
    house.register("susan").await;
    let susan = house.browser().await;
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "data:text/html,hello",
        "http://localhost.evil.example/",
    ] {
        let mut address: Url = format!("{}/login", house.origin).parse().unwrap();
        address.query_pairs_mut().append_pair("next", next);
        susan.open(address.as_str()).await;
        susan.enter("susan", PASSWORD).await;
        susan.heads("Hi, susan!").await;
        susan.at("/").await;
        susan.forget_everything().await;
    }
}

async fn somebody_who_is_logged_in_needs_no_login_page() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    for path in ["/login", "/login?next=%2Faccount", "/register"] {
        susan.open(path).await;
        susan.at("/").await;
        susan.heads("Hi, susan!").await;
    }
}

/// Presses Tab until the focus is on an element with this name.
pub async fn tab_to(browser: &Browser, name: &str) {
    for _ in 0..20 {
        let focus = browser.driver.get("/element/active").await.unwrap();
        let focus = crate::driver::Element::of(&focus).path();
        let label = browser.driver.get(&format!("{focus}/computedlabel")).await;
        if label.unwrap() == json!(name) {
            let script = "const style = getComputedStyle(document.activeElement);
                return document.activeElement.matches(':focus-visible')
                    && (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1 || style.boxShadow !== 'none')";
            assert_eq!(
                browser.run(script, json!([])).await,
                json!(true),
                "the focus on {name} is not visible"
            );
            return;
        }
        browser.press(TAB).await;
    }
    panic!("Tab does not lead to {name}");
}

async fn the_keyboard_is_enough() {
    let house = House::open().await;
    house.register("susan").await;
    let susan = house.browser().await;
    susan.open("/login").await;
    susan.find(Button, "Sign In").await;
    tab_to(&susan, "Skip to content").await;
    susan.press(ENTER).await;
    tab_to(&susan, "Username or e-mail").await;
    susan.press("susan").await;
    tab_to(&susan, "Password").await;
    susan.press(PASSWORD).await;
    tab_to(&susan, "Remember Me").await;
    susan.press(" ").await;
    tab_to(&susan, "Sign In").await;
    susan.press(ENTER).await;
    susan.heads("Hi, susan!").await;
    // What is new is read, and the next Tab goes on from there.
    let script = "return document.activeElement.localName === 'h1'";
    susan
        .until_true("the focus on the heading", script, json!([]))
        .await;
    assert_eq!(
        house
            .count("select count(*) from sessions where remembered")
            .await,
        1
    );

    susan.open("/").await;
    susan.heads("Hi, susan!").await;
    tab_to(&susan, "Logout").await;
    susan.press(ENTER).await;
    susan.heads("Sign In").await;
    assert_eq!(house.sessions().await, 0);
}

async fn enter_in_the_password_field_sends_the_form() {
    let house = House::open().await;
    house.register("susan").await;
    let susan = house.browser().await;
    susan.open("/login").await;
    susan.fill("Username or e-mail", "susan@example.com").await;
    susan.fill("Password", PASSWORD).await;
    susan.press(ENTER).await;
    susan.heads("Hi, susan!").await;
}

async fn a_login_page_at_the_start_leads_on_to_the_account() {
    let house = House::with(&[("LATCHKEY_PAGES", "login=/")]).await;
    house.register("susan").await;
    let susan = house.browser().await;
    susan.open("/").await;
    susan.heads("Sign In").await;
    susan.enter("susan", PASSWORD).await;
    susan.at("/account").await;
    susan.heads("Account").await;
    susan.open("/").await;
    susan.at("/account").await;
}

async fn what_a_proxy_says_in_words_of_its_own_is_told() {
    let house = House::open().await;
    let susan = house.browser().await;
    susan.open("/login").await;
    susan.heads("Sign In").await;
    let proxy = "window.fetch = async () => Response.json({message: 'Bad Gateway'}, {status: 502})";
    susan.run(proxy, json!([])).await;
    susan.enter("susan", PASSWORD).await;
    susan.reads("[role=alert]", "not available").await;
}
