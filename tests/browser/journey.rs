//! The whole way through the application of the tutorial.

use serde_json::json;

use crate::browser::Browser;
use crate::hands::{Button, Checkbox, Link};
use crate::house::House;
use crate::needs::Need;
use crate::support::PASSWORD;

crate::tests! {
    Need::Browser => [
        somebody_registers_logs_in_reads_and_logs_out,
        after_a_logout_back_shows_nothing_of_the_account,
        remember_me_outlives_the_browser_and_a_plain_session_does_not,
        logging_out_in_one_tab_logs_the_other_tabs_out,
        a_single_stray_401_logs_nobody_out,
    ]
}

async fn register(browser: &Browser, name: &str) {
    browser.fill("Username", name).await;
    browser.fill("Email", &format!("{name}@example.com")).await;
    browser.fill("Password", PASSWORD).await;
    browser.fill("Repeat Password", PASSWORD).await;
    browser.click(Button, "Register").await;
}

async fn somebody_registers_logs_in_reads_and_logs_out() {
    let house = House::open().await;
    let susan = house.browser().await;
    susan.open("/").await;
    susan.at("/login?next=%2F").await;
    susan.heads("Sign In").await;
    susan
        .reads("[role=status]", "Please log in to access this page.")
        .await;

    susan.click(Link, "Click to Register!").await;
    susan.heads("Register").await;
    register(&susan, "susan").await;
    susan.heads("Sign In").await;
    let congratulations = "Congratulations, you are now a registered user!";
    susan.reads("[role=status]", congratulations).await;
    assert_eq!(house.sessions().await, 0);

    susan.enter("susan", PASSWORD).await;
    susan.heads("Hi, susan!").await;
    susan.at("/").await;
    susan.counts("main article", 2).await;
    susan.sees("Beautiful day in Portland!").await;
    susan.sees("The Avengers movie was so cool!").await;
    assert!(!susan.shows(Link, "Login").await);
    assert_eq!(house.sessions().await, 1);

    susan.click(Button, "Logout").await;
    susan.at("/login").await;
    susan.find(Link, "Login").await;
    assert!(!susan.shows(Button, "Logout").await);
    assert_eq!(house.sessions().await, 0);
    susan.open("/").await;
    susan.at("/login?next=%2F").await;
}

async fn after_a_logout_back_shows_nothing_of_the_account() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    susan.sees("susan@example.com").await;
    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;
    susan.driver.call("/back", json!({})).await.unwrap();
    susan.at("/login?next=%2Faccount").await;
    susan.heads("Sign In").await;
    assert!(!susan.text().await.contains("susan@example.com"));
}

async fn remember_me_outlives_the_browser_and_a_plain_session_does_not() {
    let house = House::open().await;
    let (plain, remembered) = (house.home_of("susan").await, house.home_of("john").await);
    remembered.click(Button, "Logout").await;
    remembered.heads("Sign In").await;
    remembered.click(Checkbox, "Remember Me").await;
    remembered.enter("john", PASSWORD).await;
    remembered.heads("Hi, john!").await;

    let plain = plain.restart().await;
    plain.open("/").await;
    plain.at("/login?next=%2F").await;
    drop(plain);
    let remembered = remembered.restart().await;
    remembered.open("/").await;
    remembered.heads("Hi, john!").await;
}

/// The user's own sessions end when they say so, in all tabs, and without a word to the other ones.
async fn logging_out_in_one_tab_logs_the_other_tabs_out() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let (first, second) = susan.open_tab().await;
    susan.open("/account").await;
    susan.heads("Account").await;
    susan.go_to_tab(&first).await;
    // A page also looks again when it comes to the front. Here, only the other tab's message may tell it.
    let deaf = "window.addEventListener('visibilitychange', (event) => event.stopImmediatePropagation(), true)";
    susan.run(deaf, json!([])).await;
    susan.go_to_tab(&second).await;
    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;
    susan.go_to_tab(&first).await;
    susan.at("/login?next=%2F").await;

    susan.go_to_tab(&second).await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("Hi, susan!").await;
    susan.go_to_tab(&first).await;
    susan.heads("Hi, susan!").await;
}

/// While a session gets a new key, a request that is under way is answered with 401, too.
async fn a_single_stray_401_logs_nobody_out() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let stray = "let left = arguments[0];
        const fetch = window.real ??= window.fetch;
        const problem = {status: 401, code: 'not_authenticated', title: 'Not logged in', detail: 'Log in.'};
        const headers = {'Content-Type': 'application/problem+json'};
        window.fetch = (path, options) => path === '/api/me' && left-- > 0
            ? Promise.resolve(new Response(JSON.stringify(problem), {status: 401, headers}))
            : fetch(path, options)";
    susan.run(stray, json!([1])).await;
    susan.click(Link, "Account").await;
    susan.heads("Account").await;
    susan.run(stray, json!([1000])).await;
    susan.click(Link, "Home").await;
    susan.at("/login?next=%2F").await;
}
