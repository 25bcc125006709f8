//! The form of `/register`: each error stands below its field, for eyes and for screen readers.

use serde_json::json;

use crate::browser::Browser;
use crate::hands::{Button, Field};
use crate::house::House;
use crate::needs::Need;
use crate::support::PASSWORD;

crate::tests! {
    Need::Browser => [
        two_different_passwords_are_told_below_the_second,
        a_taken_name_and_address_are_told_below_their_fields,
        everything_that_is_wrong_is_told_at_once_and_goes_when_it_is_right,
        a_closed_registration_says_so_instead_of_a_form,
        where_addresses_must_be_proven_the_mail_is_told_of,
    ]
}

const LABELS: [&str; 4] = ["Username", "Email", "Password", "Repeat Password"];

/// Fills the form and sends it.
pub async fn fill(browser: &Browser, values: [&str; 4]) {
    for (label, value) in LABELS.into_iter().zip(values) {
        browser.fill(label, value).await;
    }
    browser.click(Button, "Register").await;
}

/// Waits until a field has this error, or any if that is empty, which is directly below it, and which a screen reader reads with it.
pub async fn is_wrong(browser: &Browser, label: &str, text: &str) {
    let field = browser.find(Field, label).await;
    let script = "const [field, text] = arguments;
        const described = (field.getAttribute('aria-describedby') ?? '').split(' ');
        const error = described.map((id) => document.getElementById(id)).find((e) => e?.innerText.trim() && e.innerText.includes(text));
        if (!error || field.getAttribute('aria-invalid') !== 'true') return false;
        const gap = error.getBoundingClientRect().top - field.getBoundingClientRect().bottom;
        return error.checkVisibility() && gap >= 0 && gap < 24";
    let arguments = json!([field.value(), text]);
    browser
        .until_true(&format!("{text:?} below {label:?}"), script, arguments)
        .await;
}

async fn is_right(browser: &Browser, label: &str) {
    let field = browser.find(Field, label).await;
    let script = "return arguments[0].getAttribute('aria-invalid') !== 'true'";
    browser
        .until_true(
            &format!("no error at {label:?}"),
            script,
            json!([field.value()]),
        )
        .await;
}

async fn has_focus(browser: &Browser, label: &str) {
    let field = browser.find(Field, label).await;
    let script = "return document.activeElement === arguments[0]";
    browser
        .until_true(
            &format!("the focus in {label:?}"),
            script,
            json!([field.value()]),
        )
        .await;
}

async fn at_the_form(house: &House) -> Browser {
    let browser = house.browser().await;
    browser.open("/register").await;
    browser
}

async fn two_different_passwords_are_told_below_the_second() {
    let house = House::open().await;
    let susan = at_the_form(&house).await;
    let typo = format!("{PASSWORD}x");
    fill(&susan, ["susan", "susan@example.com", PASSWORD, &typo]).await;
    is_wrong(&susan, "Repeat Password", "the same password").await;
    has_focus(&susan, "Repeat Password").await;
    is_right(&susan, "Password").await;
    assert_eq!(house.count("select count(*) from users").await, 0);

    susan.fill("Repeat Password", PASSWORD).await;
    susan.click(Button, "Register").await;
    susan.heads("Sign In").await;
    assert_eq!(house.count("select count(*) from users").await, 1);
}

async fn a_taken_name_and_address_are_told_below_their_fields() {
    let house = House::open().await;
    house.register("susan").await;
    let other = at_the_form(&house).await;
    fill(&other, ["Susan", "SUSAN@example.com", PASSWORD, PASSWORD]).await;
    is_wrong(&other, "Username", "Please use a different username.").await;
    is_wrong(&other, "Email", "Please use a different").await;
    is_right(&other, "Password").await;
}

async fn everything_that_is_wrong_is_told_at_once_and_goes_when_it_is_right() {
    let house = House::open().await;
    let susan = at_the_form(&house).await;
    fill(&susan, ["s@", "susan@", "password1", "password2"]).await;
    let form = json!({"username": "s@", "email": "susan@", "password": "password1", "password2": "password2"});
    let server = house
        .visitor()
        .post("/api/register", form)
        .await
        .expect(422);
    for (label, name) in LABELS
        .into_iter()
        .zip(["username", "email", "password", "password2"])
    {
        let told = server.body["errors"][name][0]["message"].as_str().unwrap();
        is_wrong(&susan, label, told).await;
    }
    has_focus(&susan, "Username").await;

    fill(
        &susan,
        ["susan", "susan@example.com", "password1", "password1"],
    )
    .await;
    has_focus(&susan, "Password").await;
    is_wrong(&susan, "Password", "").await;
    for label in ["Username", "Email", "Repeat Password"] {
        is_right(&susan, label).await;
    }
}

async fn a_closed_registration_says_so_instead_of_a_form() {
    let house = House::with(&[("LATCHKEY_REGISTRATION", "closed")]).await;
    let susan = at_the_form(&house).await;
    susan.heads("Register").await;
    assert!(!susan.shows(Field, "Username").await);
    assert!(!susan.shows(Button, "Register").await);
}

async fn where_addresses_must_be_proven_the_mail_is_told_of() {
    let house = House::with(&[("LATCHKEY_REQUIRE_VERIFIED_EMAIL", "on")]).await;
    let susan = house.browser().await;
    susan.open("/register").await;
    fill(&susan, ["susan", "susan@example.com", PASSWORD, PASSWORD]).await;
    susan.at("/login").await;
    susan
        .reads("[role=status]", "open the link in the mail")
        .await;
}
