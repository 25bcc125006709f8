//! Two-factor authentication: switching it on at `/account`, and the second step of `/login`.

use serde_json::json;

use crate::browser::Browser;
use crate::hands::{Button, Checkbox, Field, Link};
use crate::house::House;
use crate::login::tab_to;
use crate::needs::Need;
use crate::phone::Phone;
use crate::registering::is_wrong;
use crate::support::PASSWORD;

crate::tests! {
    Need::Browser => [
        a_code_of_the_app_switches_it_on_and_shows_recovery_codes_once,
        whoever_cancels_too_late_gets_the_recovery_codes,
        a_dialog_with_a_secret_goes_with_its_page,
        recovery_codes_can_be_copied_and_printed,
        a_login_takes_a_code_and_leads_where_it_was_meant_to,
        a_wrong_code_is_told_with_the_tries_that_are_left,
        a_recovery_code_is_good_once,
        a_trusted_device_is_not_asked_until_it_is_removed,
        a_cancelled_login_is_over,
        where_no_browser_is_trusted_the_page_does_not_offer_it,
        a_page_that_is_loaded_again_goes_on,
        a_step_that_is_over_leads_back_to_the_login,
        the_keyboard_is_enough_for_the_second_step,
        it_can_be_switched_off,
        confirming_takes_both_factors,
        a_factor_that_comes_while_the_dialog_is_open_is_asked_for,
    ]
}

const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const STEP: &str = "Two-factor authentication";

/// Switches it on by `/account`, where `browser` is. Returns the phone, and the recovery codes that the page has shown.
pub async fn switch_on(browser: &Browser) -> (Phone, Vec<String>) {
    browser.click(Button, "Set up an authenticator app").await;
    let phone = scanned(browser).await;
    browser.fill("Code that the app shows", &phone.code()).await;
    browser.click(Button, "Switch on").await;
    let codes = recovery_codes(browser).await;
    browser.click(Button, "I have saved them").await;
    let message = "Two-factor authentication is on.";
    browser.reads("[role=status]", message).await;
    (phone, codes)
}

/// The app of somebody who has the QR code before them.
async fn scanned(browser: &Browser) -> Phone {
    let is_there = "const code = document.querySelector('dialog[open] img');
        return Boolean(code) && code.complete && code.naturalWidth > 0 && code.alt !== ''";
    browser.until_true("the QR code", is_there, json!([])).await;
    Phone::reading(browser).await
}

async fn recovery_codes(browser: &Browser) -> Vec<String> {
    browser.find(Button, "I have saved them").await;
    let script =
        "return [...document.querySelectorAll('dialog[open] li')].map((one) => one.innerText)";
    let codes = browser.run(script, json!([])).await;
    serde_json::from_value(codes).unwrap()
}

/// Somebody at `/account` with an authenticator app.
async fn with_app(house: &House) -> (Browser, Phone, Vec<String>) {
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    let (phone, codes) = switch_on(&susan).await;
    house.forget_used_codes().await;
    (susan, phone, codes)
}

/// The same, logged out and at the second step of the next login.
async fn at_the_step(house: &House) -> (Browser, Phone, Vec<String>) {
    let (susan, phone, codes) = with_app(house).await;
    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;
    enter(&susan).await;
    (susan, phone, codes)
}

/// Enters name and password, and waits for the second step.
async fn enter(browser: &Browser) {
    browser.enter("susan", PASSWORD).await;
    browser.heads(STEP).await;
}

async fn verify(browser: &Browser, label: &str, code: &str) {
    browser.fill(label, code).await;
    browser.click(Button, "Verify").await;
}

async fn a_code_of_the_app_switches_it_on_and_shows_recovery_codes_once() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let elsewhere = house.browser().await;
    elsewhere.log_in("susan").await;
    susan.click(Link, "Account").await;
    susan.click(Button, "Set up an authenticator app").await;
    let phone = scanned(&susan).await;
    let label = "Code that the app shows";
    susan.fill(label, &phone.wrong_code()).await;
    susan.click(Button, "Switch on").await;
    is_wrong(&susan, label, "").await;
    assert_eq!(house.sessions().await, 2);

    susan.fill(label, &phone.code()).await;
    susan.click(Button, "Switch on").await;
    let codes = recovery_codes(&susan).await;
    assert_eq!(codes.len(), 10, "{codes:?}");
    // What is shown only once does not go away by accident.
    susan.press(ESCAPE).await;
    susan.press(ESCAPE).await;
    susan.counts("dialog[open]", 1).await;
    susan.click(Button, "I have saved them").await;
    susan.reads("[role=status]", "is on").await;
    susan.reads("#factors", "10 left").await;
    assert_eq!(house.sessions().await, 1);
    elsewhere.click(Link, "Account").await;
    elsewhere.heads("Sign In").await;

    let html = "return document.documentElement.outerHTML";
    let html = susan.run(html, json!([])).await.to_string();
    assert!(!codes.iter().any(|code| html.contains(code.as_str())));
}

/// By then the server may have switched it on.
async fn whoever_cancels_too_late_gets_the_recovery_codes() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    susan.click(Button, "Set up an authenticator app").await;
    let phone = scanned(&susan).await;
    susan.fill("Code that the app shows", &phone.code()).await;
    let both = "const dialog = document.querySelector('dialog[open]');
        dialog.querySelector('.primary').click();
        dialog.close();";
    susan.run(both, json!([])).await;
    assert_eq!(recovery_codes(&susan).await.len(), 10);
    susan.click(Button, "I have saved them").await;
    susan.reads("#factors", "10 left").await;
}

async fn a_dialog_with_a_secret_goes_with_its_page() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    susan.click(Button, "Set up an authenticator app").await;
    scanned(&susan).await;
    susan.run("history.back()", json!([])).await;
    susan.heads("Hi, susan!").await;
    susan.counts("dialog", 0).await;
}

async fn recovery_codes_can_be_copied_and_printed() {
    let house = House::open().await;
    let (susan, _, old) = with_app(&house).await;
    let allowed = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    susan
        .driver
        .devtools("Browser.grantPermissions", allowed)
        .await;
    susan
        .run("window.print = () => { window.printed = true; }", json!([]))
        .await;
    susan.click(Button, "New recovery codes").await;
    susan.click(Button, "Make new ones").await;
    let codes = recovery_codes(&susan).await;
    assert!(codes.len() == 10 && !codes.iter().any(|code| old.contains(code)));

    susan.click(Button, "Copy").await;
    susan.find(Button, "Copied").await;
    let clipboard = "return navigator.clipboard.readText()";
    let copied = susan.run(clipboard, json!([])).await;
    assert_eq!(copied, json!(codes.join("\n")));

    susan.click(Button, "Print").await;
    assert_eq!(susan.run("return window.printed", json!([])).await, true);
    let paper = json!({"media": "print"});
    susan
        .driver
        .devtools("Emulation.setEmulatedMedia", paper)
        .await;
    let printed = "const seen = (css) => [...document.querySelectorAll(css)].filter((one) => one.checkVisibility());
        return [seen('main, header, footer, dialog button').length, seen('dialog li').length,
            document.querySelector('dialog').innerText.includes('susan')]";
    assert_eq!(susan.run(printed, json!([])).await, json!([0, 10, true]));
}

async fn a_login_takes_a_code_and_leads_where_it_was_meant_to() {
    let house = House::open().await;
    let (susan, phone, _) = with_app(&house).await;
    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;
    susan.open("/account").await;
    enter(&susan).await;
    susan.at("/login?next=%2Faccount&step=second_factor").await;
    assert_eq!(house.sessions().await, 0);
    let code = susan.find(Field, "Authentication code").await;
    let hints = "const [field] = arguments; return [field.inputMode, field.autocomplete]";
    assert_eq!(
        susan.run(hints, json!([code.value()])).await,
        json!(["numeric", "one-time-code"])
    );
    verify(&susan, "Authentication code", &phone.code()).await;
    susan.heads("Account").await;
    susan.at("/account").await;
    let both = "select count(*) from sessions where methods = '{password,totp}' and factors = 2";
    assert_eq!(house.count(both).await, 1);
    // Back does not lead to a step that is over.
    susan.driver.call("/back", json!({})).await.unwrap();
    susan.heads("Hi, susan!").await;
}

async fn a_wrong_code_is_told_with_the_tries_that_are_left() {
    let house = House::open().await;
    let (susan, phone, _) = at_the_step(&house).await;
    for left in (1..5).rev() {
        verify(&susan, "Authentication code", &phone.wrong_code()).await;
        is_wrong(
            &susan,
            "Authentication code",
            &format!("Tries left: {left}."),
        )
        .await;
    }
    verify(&susan, "Authentication code", &phone.wrong_code()).await;
    susan.heads("Sign In").await;
    susan.reads("[role=status]", "log in again").await;
    assert_eq!(house.sessions().await, 0);

    enter(&susan).await;
    verify(&susan, "Authentication code", &phone.code()).await;
    susan.heads("Hi, susan!").await;
}

async fn a_recovery_code_is_good_once() {
    let house = House::open().await;
    let (susan, _, codes) = at_the_step(&house).await;
    susan.click(Button, "Use a recovery code").await;
    assert!(!susan.shows(Field, "Authentication code").await);
    // As somebody writes it down.
    let written = codes[0].replace('-', " ").to_uppercase();
    verify(&susan, "Recovery code", &written).await;
    susan.heads("Hi, susan!").await;
    let message = "You have used a recovery code. Codes left: 9.";
    susan.reads("[role=status]", message).await;
    susan.click(Link, "Account").await;
    susan.reads("#factors", "9 left").await;

    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;
    enter(&susan).await;
    susan.click(Button, "Use a recovery code").await;
    verify(&susan, "Recovery code", &codes[0]).await;
    is_wrong(&susan, "Recovery code", "Tries left: 4.").await;
    susan.click(Button, "Use the authenticator app").await;
    susan.find(Field, "Authentication code").await;
    assert!(!susan.shows(Field, "Recovery code").await);
}

async fn a_trusted_device_is_not_asked_until_it_is_removed() {
    let house = House::open().await;
    let (susan, phone, _) = at_the_step(&house).await;
    for remove in ["Remove Chrome on Linux", "Remove all"] {
        susan.click(Checkbox, "Trust this device").await;
        verify(&susan, "Authentication code", &phone.code()).await;
        susan.heads("Hi, susan!").await;
        susan.click(Button, "Logout").await;
        susan.heads("Sign In").await;
        susan.enter("susan", PASSWORD).await;
        susan.heads("Hi, susan!").await;

        if remove == "Remove all" {
            house.trust_another_device().await;
        }
        susan.click(Link, "Account").await;
        susan.reads("#devices", "Chrome on Linux").await;
        susan.click(Button, remove).await;
        susan.reads("[role=status]", "trusted any more").await;
        assert!(!susan.shows(Button, remove).await);
        susan.click(Button, "Logout").await;
        susan.heads("Sign In").await;
        house.forget_used_codes().await;
        enter(&susan).await;
    }
}

impl House {
    async fn trust_another_device(&self) {
        let sql = "insert into trusted_devices (id, user_id, user_agent, expires_at)
            select gen_random_uuid(), id, 'Firefox', now() + interval '1 day' from users";
        self.database.sql(sql).await;
    }
}

async fn a_cancelled_login_is_over() {
    let house = House::open().await;
    let (susan, ..) = at_the_step(&house).await;
    susan.click(Button, "Cancel").await;
    susan.heads("Sign In").await;
    susan.at("/login").await;
    assert_eq!(
        house
            .count("select count(*) from login_steps where tries_left > 0")
            .await,
        0
    );
}

async fn where_no_browser_is_trusted_the_page_does_not_offer_it() {
    for (allowed, offered) in [("30days", true), ("0", false)] {
        let house = House::with(&[("LATCHKEY_TRUST_DEVICE_FOR", allowed)]).await;
        let (susan, ..) = at_the_step(&house).await;
        let offers = susan.shows(Checkbox, "Trust this device").await;
        assert_eq!(offers, offered, "{allowed}");
    }
}

async fn a_page_that_is_loaded_again_goes_on() {
    let house = House::open().await;
    let (susan, phone, _) = at_the_step(&house).await;
    verify(&susan, "Authentication code", &phone.wrong_code()).await;
    is_wrong(&susan, "Authentication code", "Tries left: 4.").await;
    susan.driver.call("/refresh", json!({})).await.unwrap();
    susan.heads(STEP).await;
    verify(&susan, "Authentication code", &phone.wrong_code()).await;
    is_wrong(&susan, "Authentication code", "Tries left: 3.").await;
    verify(&susan, "Authentication code", &phone.code()).await;
    susan.heads("Hi, susan!").await;
}

async fn a_step_that_is_over_leads_back_to_the_login() {
    let house = House::open().await;
    let (susan, phone, _) = at_the_step(&house).await;
    let expire = "update login_steps set expires_at = now() - interval '1 second'";
    house.database.sql(expire).await;
    verify(&susan, "Authentication code", &phone.code()).await;
    susan.heads("Sign In").await;
    susan.at("/login").await;
    let words = house.visitor().get("/api/login/step").await.expect(410);
    let words = words.body["detail"].as_str().unwrap().to_owned();
    susan.reads("[role=status]", &words).await;
    assert_eq!(house.sessions().await, 0);

    susan
        .open("/login?step=second_factor&next=%2Faccount")
        .await;
    susan.heads("Sign In").await;
    susan.at("/login?next=%2Faccount").await;
    susan.reads("[role=status]", &words).await;
}

async fn the_keyboard_is_enough_for_the_second_step() {
    let house = House::open().await;
    let (susan, phone, _) = at_the_step(&house).await;
    has_focus(&susan, "code").await;
    tab_to(&susan, "Use a recovery code").await;
    susan.press(ENTER).await;
    has_focus(&susan, "recovery_code").await;
    tab_to(&susan, "Use the authenticator app").await;
    susan.press(ENTER).await;
    has_focus(&susan, "code").await;
    susan.press(&phone.code()).await;
    tab_to(&susan, "Trust this device").await;
    susan.press(" ").await;
    tab_to(&susan, "Verify").await;
    susan.press(ENTER).await;
    susan.heads("Hi, susan!").await;
    let trusted = "select count(*) from trusted_devices";
    assert_eq!(house.count(trusted).await, 1);
}

async fn has_focus(browser: &Browser, field: &str) {
    let script = "return document.activeElement.name === arguments[0]";
    let what = format!("the focus in {field}");
    browser.until_true(&what, script, json!([field])).await;
}

async fn it_can_be_switched_off() {
    let house = House::open().await;
    let (susan, ..) = with_app(&house).await;
    susan.click(Button, "Switch off").await;
    susan.reads("dialog[open]", "other sessions end").await;
    susan.click(Button, "Cancel").await;
    susan.counts("dialog[open]", 0).await;
    susan.reads("#factors", "10 left").await;

    susan.click(Button, "Switch off").await;
    let asks = susan.find_dialog().await;
    susan
        .click_on(&susan.find_in(&asks, Button, "Switch off").await)
        .await;
    let message = "Two-factor authentication is off.";
    susan.reads("[role=status]", message).await;
    assert!(!susan.shows(Button, "New recovery codes").await);
    assert_eq!(house.count("select count(*) from recovery_codes").await, 0);
    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("Hi, susan!").await;
}

async fn confirming_takes_both_factors() {
    let house = House::open().await;
    let (susan, phone, _) = with_app(&house).await;
    ask_for_codes(&house, &susan).await;
    susan.fill("Authentication code", &phone.wrong_code()).await;
    susan.click(Button, "Confirm").await;
    is_wrong(&susan, "Authentication code", "").await;
    susan.fill("Authentication code", &phone.code()).await;
    susan.click(Button, "Confirm").await;
    let codes = recovery_codes(&susan).await;
    susan.click(Button, "I have saved them").await;
    susan.counts("dialog[open]", 0).await;

    ask_for_codes(&house, &susan).await;
    susan.click(Button, "Use a recovery code").await;
    susan.fill("Recovery code", "0000-0000-0000-0000").await;
    susan.click(Button, "Confirm").await;
    is_wrong(&susan, "Recovery code", "").await;
    susan.fill("Recovery code", &codes[0]).await;
    susan.click(Button, "Confirm").await;
    let others = recovery_codes(&susan).await;
    assert!(!others.contains(&codes[0]));
}

/// Asks for new recovery codes when the last proof is long ago, up to the code in the dialog.
async fn ask_for_codes(house: &House, browser: &Browser) {
    house.let_time_pass(browser).await;
    browser.click(Button, "New recovery codes").await;
    browser.click(Button, "Make new ones").await;
    browser
        .reads("dialog[open]", "Confirm that it is you")
        .await;
    let asks = browser.find_dialog().await;
    let password = browser.find_in(&asks, Field, "Password").await;
    browser.type_into(&password, PASSWORD).await;
}

/// Between the refusal and the answer, somebody has switched it on in another tab.
async fn a_factor_that_comes_while_the_dialog_is_open_is_asked_for() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    house.let_time_pass(&susan).await;
    susan.click(Button, "Download").await;
    susan.reads("dialog[open]", "Confirm that it is you").await;
    assert!(!susan.shows(Field, "Authentication code").await);
    let visitor = house.visitor();
    visitor.log_in("susan").await.expect(200);
    let offer = visitor.post("/api/totp", json!({})).await.expect(201);
    let phone = Phone::with_key(offer.body["secret"].as_str().unwrap());
    let form = json!({"code": phone.code(), "end_other_sessions": false});
    visitor.post("/api/totp/confirm", form).await.expect(200);
    house.forget_used_codes().await;

    let asks = susan.find_dialog().await;
    let password = susan.find_in(&asks, Field, "Password").await;
    susan.type_into(&password, PASSWORD).await;
    susan.click(Button, "Confirm").await;
    susan.fill("Authentication code", &phone.code()).await;
    susan.click(Button, "Confirm").await;
    susan.counts("dialog[open]", 0).await;
    let again = "select count(*) from security_events where kind = 'reauthenticated'";
    assert_eq!(house.count(again).await, 1);
}
