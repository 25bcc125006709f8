//! The page of one's own account, and that of administrators.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::hands::{Button, Field, Link};
use crate::house::House;
use crate::needs::Need;
use crate::phone::Phone;
use crate::registering::is_wrong;
use crate::support::process::TempDir;
use crate::support::{PASSWORD, wait_until};

crate::tests! {
    Need::Browser => [
        ending_a_session_in_one_browser_logs_the_other_out,
        all_other_sessions_can_be_ended_at_once,
        changing_the_password_ends_the_other_sessions,
        the_login_is_among_the_events,
        the_export_arrives_as_a_file,
        deleting_the_account_needs_its_name_and_the_password_again,
        another_name_deletes_nothing,
        an_administrator_finds_somebody_and_shuts_them_out,
        an_administrator_helps_somebody_who_has_lost_their_phone,
        an_administrator_gives_roles,
        nobody_else_sees_the_administration,
    ]
}

const NEW_PASSWORD: &str = "seven-Boats-under-9-moons";

/// A person at two browsers, first of whom is at `/account`.
async fn at_two_browsers(house: &House) -> (Browser, Browser) {
    let first = house.home_of("susan").await;
    let second = house.browser().await;
    second.log_in("susan").await;
    first.click(Link, "Account").await;
    first.heads("Account").await;
    (first, second)
}

async fn is_out(browser: &Browser) {
    browser.click(Link, "Account").await;
    browser.at("/login?next=%2Faccount").await;
    browser.heads("Sign In").await;
}

async fn ending_a_session_in_one_browser_logs_the_other_out() {
    let house = House::open().await;
    let (first, second) = at_two_browsers(&house).await;
    first.click(Button, "Log out Chrome on Linux").await;
    first.reads("[role=status]", "ended").await;
    assert_eq!(house.sessions().await, 1);
    is_out(&second).await;
    first.click(Link, "Home").await;
    first.heads("Hi, susan!").await;
}

async fn all_other_sessions_can_be_ended_at_once() {
    let house = House::open().await;
    let (first, second) = at_two_browsers(&house).await;
    first.click(Button, "Log out other sessions").await;
    first
        .reads("[role=status]", "One other session has ended.")
        .await;
    is_out(&second).await;
    assert_eq!(house.sessions().await, 1);
}

async fn changing_the_password_ends_the_other_sessions() {
    let house = House::open().await;
    let (first, second) = at_two_browsers(&house).await;
    first
        .fill("Current password", "another-Lamp-42-river")
        .await;
    first.fill("New password", NEW_PASSWORD).await;
    first.click(Button, "Change password").await;
    is_wrong(&first, "Current password", "").await;
    first.fill("Current password", PASSWORD).await;
    first.click(Button, "Change password").await;
    first
        .reads("[role=status]", "Your password has been changed.")
        .await;
    is_out(&second).await;
    second.enter("susan", NEW_PASSWORD).await;
    second.heads("Account").await;
    first.click(Link, "Home").await;
    first.heads("Hi, susan!").await;
}

async fn the_login_is_among_the_events() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    susan.reads("#event-list", "Logged in").await;
    susan.reads("#event-list", "127.0.0.1").await;
}

async fn the_export_arrives_as_a_file() {
    let (house, downloads) = (House::open().await, TempDir::new());
    let susan = house.home_of("susan").await;
    let allowed = json!({"behavior": "allow", "downloadPath": downloads.0});
    susan
        .driver
        .devtools("Browser.setDownloadBehavior", allowed)
        .await;
    susan.click(Link, "Account").await;
    susan.click(Button, "Download").await;
    let file = downloads.0.join("susan.json");
    wait_until("the download is there", async || file.exists()).await;
    let export: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(export["user"]["email"], "susan@example.com");
}

async fn deleting_the_account_needs_its_name_and_the_password_again() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    house.let_time_pass(&susan).await;
    susan.click(Link, "Account").await;
    susan.fill("Type your username to confirm", "susan").await;
    susan.click(Button, "Delete my account").await;
    let asks = susan.find_dialog().await;
    susan
        .click_on(&susan.find_in(&asks, Button, "Cancel").await)
        .await;
    susan.counts("dialog[open]", 0).await;
    assert_eq!(house.count("select count(*) from users").await, 1);

    susan.click(Button, "Delete my account").await;
    let asks = susan.find_dialog().await;
    for password in ["another-Lamp-42-river", PASSWORD] {
        let field = susan.find_in(&asks, Field, "Password").await;
        susan.type_into(&field, password).await;
        susan
            .click_on(&susan.find_in(&asks, Button, "Confirm").await)
            .await;
        if password != PASSWORD {
            is_wrong(&susan, "Password", "").await;
        }
    }
    susan.at("/login").await;
    susan
        .reads("[role=status]", "Your account has been deleted.")
        .await;
    assert_eq!(house.count("select count(*) from users").await, 0);
}

async fn another_name_deletes_nothing() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    susan.fill("Type your username to confirm", "suzan").await;
    susan.click(Button, "Delete my account").await;
    is_wrong(&susan, "Type your username to confirm", "").await;
    assert_eq!(house.count("select count(*) from users").await, 1);
}

async fn an_administrator(house: &House) -> Browser {
    house.register("ada").await;
    house.operator(&["users", "grant", "ada", "admin"]);
    let ada = house.browser().await;
    ada.log_in("ada").await;
    ada.click(Link, "Admin").await;
    ada.heads("Users").await;
    ada
}

async fn an_administrator_finds_somebody_and_shuts_them_out() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    house.register("john").await;
    let ada = an_administrator(&house).await;
    ada.counts("#user-list li", 3).await;
    ada.fill("Name or e-mail begins with", "sus").await;
    ada.click(Button, "Search").await;
    ada.counts("#user-list li", 1).await;
    ada.click(Link, "susan").await;
    ada.heads("susan").await;
    ada.click(Button, "Disable").await;
    ada.reads("[role=status]", "susan is disabled.").await;
    is_out(&susan).await;
    susan.enter("susan", PASSWORD).await;
    susan.reads("[role=alert]", "disabled").await;

    ada.click(Button, "Enable").await;
    ada.reads("[role=status]", "susan is enabled.").await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("Account").await;
}

async fn an_administrator_helps_somebody_who_has_lost_their_phone() {
    let house = House::open().await;
    house.register("susan").await;
    Phone::set_up(&house).await;
    let on = "select count(*) from users where second_factor_required";
    assert_eq!(house.count(on).await, 1);
    let ada = an_administrator(&house).await;
    ada.click(Link, "susan").await;
    ada.heads("susan").await;
    let button = "Switch off two-factor authentication";
    ada.click(Button, button).await;
    ada.click(Button, "Cancel").await;
    ada.click(Button, button).await;
    ada.click(Button, "Switch off").await;
    let message = "Two-factor authentication is off.";
    ada.reads("[role=status]", message).await;
    assert_eq!(house.count(on).await, 0);
}

async fn an_administrator_gives_roles() {
    let house = House::open().await;
    house.register("susan").await;
    let ada = an_administrator(&house).await;
    ada.click(Link, "susan").await;
    ada.heads("susan").await;
    ada.fill("Roles", "editor moderator").await;
    ada.click(Button, "Save roles").await;
    ada.reads("[role=status]", "The roles are saved.").await;
    let roles = "select count(*) from user_roles where role in ('editor', 'moderator')";
    assert_eq!(house.count(roles).await, 2);
}

async fn nobody_else_sees_the_administration() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    assert!(!susan.shows(Link, "Admin").await);
    susan.open("/admin").await;
    susan.heads("Page not found").await;
}
