//! Links in mails, from the mailbox of development to the page that uses them up.

use crate::browser::Browser;
use crate::hands::{Button, Link};
use crate::house::House;
use crate::needs::Need;
use crate::support::PASSWORD;

crate::tests! {
    Need::Browser => [
        a_forgotten_password_is_replaced_by_way_of_the_mailbox,
        a_link_that_is_used_up_says_so,
        an_address_is_verified_by_its_link,
        where_addresses_must_be_proven_the_login_says_what_to_do,
        another_address_counts_when_its_link_is_confirmed_and_can_be_taken_back,
    ]
}

const NEW_PASSWORD: &str = "seven-Boats-under-9-moons";

/// Opens the newest mail's link to this page, as somebody does who reads their mail.
async fn follow(house: &House, browser: &Browser, mails: usize, path: &str) {
    house.wait_for_mails(mails).await;
    browser.open("/dev/mailbox").await;
    let link = format!("article:first-of-type a[href*='{path}#token=']");
    browser.click_first(&link).await;
    // The token leaves the address before the page shows anything.
    browser.at(path).await;
}

async fn choose(browser: &Browser, password: &str) {
    browser.heads("Choose a new password").await;
    browser.fill("New password", password).await;
    browser.fill("Repeat new password", password).await;
    browser.click(Button, "Save").await;
}

async fn a_forgotten_password_is_replaced_by_way_of_the_mailbox() {
    let house = House::open().await;
    let elsewhere = house.home_of("susan").await;
    let susan = house.browser().await;
    susan.open("/login").await;
    susan.click(Link, "Forgot your password?").await;
    susan.heads("Reset Password").await;
    susan.fill("Email", "susan@example.com").await;
    susan.click(Button, "Request Password Reset").await;
    susan
        .reads("[role=status]", "a mail with a link is on its way")
        .await;

    follow(&house, &susan, 2, "/reset").await;
    choose(&susan, NEW_PASSWORD).await;
    susan.at("/login").await;
    assert_eq!(house.sessions().await, 0);
    elsewhere.click(Link, "Account").await;
    elsewhere.at("/login?next=%2Faccount").await;

    susan.enter("susan", PASSWORD).await;
    susan.reads("[role=alert]", "not correct").await;
    assert_eq!(house.sessions().await, 0);
    susan.enter("susan", NEW_PASSWORD).await;
    susan.heads("Hi, susan!").await;
}

async fn a_link_that_is_used_up_says_so() {
    let house = House::open().await;
    let susan = house.browser().await;
    susan.open("/reset#token=0123456789abcdef").await;
    susan.at("/reset").await;
    choose(&susan, NEW_PASSWORD).await;
    susan.reads("[role=alert]", "link").await;
    susan.open("/reset").await;
    susan.heads("Open the link in your mail").await;
}

async fn an_address_is_verified_by_its_link() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let verified = "select count(*) from users where email_verified_at is not null";
    follow(&house, &susan, 1, "/verify").await;
    susan.heads("Verify your address").await;
    // To look at the link is not to use it: mail scanners do that.
    assert_eq!(house.count(verified).await, 0);
    susan.click(Button, "Verify").await;
    susan.reads("[role=status]", "verified").await;
    assert_eq!(house.count(verified).await, 1);
}

async fn where_addresses_must_be_proven_the_login_says_what_to_do() {
    let house = House::with(&[("LATCHKEY_REQUIRE_VERIFIED_EMAIL", "on")]).await;
    house.register("susan").await;
    let susan = house.browser().await;
    susan.open("/login").await;
    susan.enter("susan", PASSWORD).await;
    susan
        .reads("[role=alert]", "confirm your email address")
        .await;
    assert_eq!(house.sessions().await, 0);
    susan.click(Link, "Send it again").await;
    susan.heads("Verify your address").await;
    follow(&house, &susan, 1, "/verify").await;
    susan.fill("Password", PASSWORD).await;
    susan.click(Button, "Verify").await;
    susan.at("/login").await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("Hi, susan!").await;
}

async fn another_address_counts_when_its_link_is_confirmed_and_can_be_taken_back() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    susan.heads("Account").await;
    susan.fill("New e-mail", "sue@example.com").await;
    susan.click(Button, "Change e-mail").await;
    susan.reads("[role=status]", "mail").await;
    let changed = "select count(*) from users where email = 'sue@example.com'";
    follow(&house, &susan, 2, "/change-email").await;
    assert_eq!(house.count(changed).await, 0);
    susan.click(Button, "Confirm").await;
    susan.at("/account").await;
    susan.sees("sue@example.com").await;
    assert_eq!(house.count(changed).await, 1);

    follow(&house, &susan, 3, "/not-me").await;
    susan.heads("This was not me").await;
    susan.click(Button, "Take my account back").await;
    susan.at("/login").await;
    assert_eq!((house.count(changed).await, house.sessions().await), (0, 0));
}
