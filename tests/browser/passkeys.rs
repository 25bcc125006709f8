//! Passkeys: adding and removing them at `/account`, and logging in with them.

use serde_json::json;

use crate::authenticator::Authenticator;
use crate::browser::Browser;
use crate::hands::{Button, Field, Link};
use crate::house::House;
use crate::needs::Need;
use crate::second_factor::switch_on;
use crate::support::PASSWORD;

crate::tests! {
    Need::Browser => [
        a_passkey_is_added_and_logs_in_by_the_button,
        the_autofill_offers_it_without_a_name,
        the_autofill_takes_new_options_in_time_and_makes_way_for_the_button,
        a_device_has_one_passkey_for_an_account,
        a_passkey_gets_another_name,
        a_removed_passkey_is_dead_and_the_browser_forgets_it,
        a_passkey_is_a_second_factor,
        passkeys_alone_are_a_second_factor_for_who_wants_that,
        a_passkey_confirms_that_it_is_you,
        where_the_browser_translates_nothing_the_page_does,
        without_passkeys_nothing_of_them_is_shown,
    ]
}

const REFUSED: &str = "No passkey was used";

/// Somebody at `/account` with a passkey on a device, which nobody touches.
async fn with_passkey(browser: &Browser) -> Authenticator<'_> {
    let device = browser.plug_in().await;
    browser.click(Link, "Account").await;
    add(browser, &device).await;
    device
}

async fn add(browser: &Browser, device: &Authenticator<'_>) {
    device.touch(true).await;
    browser.fill("Name of a new passkey", "My laptop").await;
    browser.click(Button, "Add a passkey").await;
    let message = "The passkey is added.";
    browser.reads("[role=status]", message).await;
    browser.click(Button, "Dismiss").await;
    device.touch(false).await;
}

async fn log_out(browser: &Browser) {
    browser.click(Button, "Logout").await;
    browser.heads("Sign In").await;
}

async fn use_passkey(browser: &Browser, device: &Authenticator<'_>, button: &str) {
    device.touch(true).await;
    browser.click(Button, button).await;
}

async fn sign_in(browser: &Browser, device: &Authenticator<'_>) {
    device.is_asked_by_autofill().await;
    use_passkey(browser, device, "Sign in with a passkey").await;
}

async fn a_passkey_is_added_and_logs_in_by_the_button() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let device = with_passkey(&susan).await;
    susan.reads("#passkey-list", "My laptop").await;
    susan.reads("#passkey-list", "Last used never").await;
    assert_eq!(device.passkeys().await.len(), 1);
    log_out(&susan).await;
    susan.open("/login?next=%2Faccount").await;
    sign_in(&susan, &device).await;
    susan.at("/account").await;
    susan.heads("Account").await;
    susan.reads("#passkey-list", "Last used just now").await;
    let both = "select count(*) from sessions where methods = '{passkey}' and factors = 2";
    assert_eq!(house.count(both).await, 1);
}

async fn the_autofill_offers_it_without_a_name() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let device = with_passkey(&susan).await;
    log_out(&susan).await;
    let field = susan.find(Field, "Username or e-mail").await;
    let script = "return arguments[0].autocomplete";
    let words = susan.run(script, json!([field.value()])).await;
    assert_eq!(words, "username webauthn");
    // The browser shows what it offers in a menu of its own, out of reach. A touch is as good as a choice there.
    device.touch(true).await;
    susan.open("/login?next=%2Faccount").await;
    susan.at("/account").await;
    susan.heads("Account").await;
    let both = "select count(*) from sessions where methods = '{passkey}' and factors = 2";
    assert_eq!(house.count(both).await, 1);
}

async fn the_autofill_takes_new_options_in_time_and_makes_way_for_the_button() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let device = with_passkey(&susan).await;
    log_out(&susan).await;
    device.is_asked_by_autofill().await;
    // Ten minutes become a moment, but for the timeout of requests.
    let script = "const timeout = AbortSignal.timeout;
        const get = navigator.credentials.get.bind(navigator.credentials);
        window.begun = 0;
        navigator.credentials.get = (options) => {
            window.begun += 1;
            return get(options);
        };
        window.lapses = [];
        AbortSignal.timeout = (time) => {
            if (time === 30000) return timeout.call(AbortSignal, time);
            window.lapses.push(time);
            return timeout.call(AbortSignal, window.lapses.length > 2 ? time : 50);
        }";
    susan.run(script, json!([])).await;
    susan.click(Link, "Forgot your password?").await;
    susan.heads("Reset Password").await;
    susan.click(Link, "Back to the login").await;
    let renewed = "return window.lapses.length === 3 && window.begun === 3";
    susan
        .until_true("the third options", renewed, json!([]))
        .await;
    // Three quarters of ten minutes.
    let lapses = susan.run("return window.lapses", json!([])).await;
    for lapse in lapses.as_array().unwrap() {
        let lapse = lapse.as_f64().unwrap();
        assert!((400_000.0..=450_000.0).contains(&lapse), "{lapse}");
    }
    // That request waits now. A browser refuses a second one beside it.
    use_passkey(&susan, &device, "Sign in with a passkey").await;
    susan.heads("Hi, susan!").await;
}

async fn a_device_has_one_passkey_for_an_account() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let device = with_passkey(&susan).await;
    use_passkey(&susan, &device, "Add a passkey").await;
    let message = "There already is a passkey for your account on this device.";
    susan.reads("[role=alert]", message).await;
    assert_eq!(device.passkeys().await.len(), 1);
    assert_eq!(house.count("select count(*) from passkeys").await, 1);
}

async fn a_passkey_gets_another_name() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let _device = with_passkey(&susan).await;
    susan.click(Button, "Rename My laptop").await;
    let asks = susan.find_dialog().await;
    for name in ["", "Susan's <laptop>"] {
        let field = susan.find_in(&asks, Field, "Name").await;
        susan.type_into(&field, name).await;
        susan
            .click_on(&susan.find_in(&asks, Button, "Rename").await)
            .await;
        if name.is_empty() {
            crate::registering::is_wrong(&susan, "Name", "").await;
        }
    }
    let message = "The passkey is renamed.";
    susan.reads("[role=status]", message).await;
    susan.reads("#passkey-list", "Susan's <laptop>").await;
    assert!(!susan.text().await.contains("My laptop"));
}

async fn a_removed_passkey_is_dead_and_the_browser_forgets_it() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let device = with_passkey(&susan).await;
    let [copy] = <[_; 1]>::try_from(device.passkeys().await).unwrap();
    susan.click(Button, "Remove My laptop").await;
    susan.click(Button, "Remove").await;
    let message = "The passkey is removed.";
    susan.reads("[role=status]", message).await;
    device.has(0).await;
    log_out(&susan).await;

    // A browser that has not heard of it.
    device.restore(&copy).await;
    susan.open("/login").await;
    sign_in(&susan, &device).await;
    susan
        .reads("[role=alert]", "does not work here any more")
        .await;
    assert_eq!(house.sessions().await, 0);
    device.has(0).await;
    susan.click(Button, "Sign in with a passkey").await;
    susan.reads("[role=alert]", REFUSED).await;
}

async fn a_passkey_is_a_second_factor() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let device = with_passkey(&susan).await;
    switch_on(&susan).await;
    log_out(&susan).await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("Two-factor authentication").await;
    susan.find(Field, "Authentication code").await;
    use_passkey(&susan, &device, "Use a passkey").await;
    susan.heads("Hi, susan!").await;
    let both = "select count(*) from sessions where methods = '{password,passkey}' and factors = 2";
    assert_eq!(house.count(both).await, 1);
    device.touch(false).await;

    susan.click(Link, "Account").await;
    susan.click(Button, "Remove the app").await;
    susan.click(Button, "Remove").await;
    let message = "The authenticator app is removed.";
    susan.reads("[role=status]", message).await;
    log_out(&susan).await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("Two-factor authentication").await;
    susan.find(Button, "Use a passkey").await;
    assert!(!susan.shows(Field, "Authentication code").await);
}

async fn passkeys_alone_are_a_second_factor_for_who_wants_that() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let device = with_passkey(&susan).await;
    susan.click(Button, "Use passkeys as a second factor").await;
    susan.click(Button, "I have saved them").await;
    susan.reads("#factors", "10 left").await;
    // This session has shown one factor so far, and from now on two are needed for this.
    susan.click(Button, "Remove My laptop").await;
    susan.click(Button, "Remove").await;
    susan.reads("dialog[open]", "Confirm that it is you").await;
    use_passkey(&susan, &device, "Use a passkey").await;
    susan
        .reads("#passkeys [role=alert]", "only second factor")
        .await;
    device.has(1).await;
    device.touch(false).await;

    log_out(&susan).await;
    susan.enter("susan", PASSWORD).await;
    susan.heads("Two-factor authentication").await;
    assert!(!susan.shows(Button, "Verify").await);
    use_passkey(&susan, &device, "Use a passkey").await;
    susan.heads("Hi, susan!").await;
    device.touch(false).await;
    susan.click(Link, "Account").await;
    susan.click(Button, "Switch off").await;
    let asks = susan.find_dialog().await;
    susan
        .click_on(&susan.find_in(&asks, Button, "Switch off").await)
        .await;
    susan.reads("[role=status]", "is off").await;
    assert_eq!(house.count("select count(*) from passkeys").await, 1);
}

async fn a_passkey_confirms_that_it_is_you() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let device = with_passkey(&susan).await;
    house.let_time_pass(&susan).await;
    susan.fill("Type your username to confirm", "susan").await;
    susan.click(Button, "Delete my account").await;
    let asks = susan.find_dialog().await;
    susan.find_in(&asks, Field, "Password").await;
    let button = susan.find_in(&asks, Button, "Use a passkey").await;
    device.touch(true).await;
    susan.click_on(&button).await;
    susan.at("/login").await;
    let message = "Your account has been deleted.";
    susan.reads("[role=status]", message).await;
}

async fn where_the_browser_translates_nothing_the_page_does() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    let poor = "PublicKeyCredential.prototype.toJSON = () => { throw new TypeError('Illegal invocation'); };
        delete PublicKeyCredential.parseCreationOptionsFromJSON;
        delete PublicKeyCredential.parseRequestOptionsFromJSON;
        return PublicKeyCredential.parseCreationOptionsFromJSON === undefined
            && PublicKeyCredential.parseRequestOptionsFromJSON === undefined";
    assert_eq!(susan.run(poor, json!([])).await, true);
    let device = with_passkey(&susan).await;
    use_passkey(&susan, &device, "Add a passkey").await;
    susan.reads("[role=alert]", "already is a passkey").await;
    device.touch(false).await;
    log_out(&susan).await;
    sign_in(&susan, &device).await;
    susan.heads("Hi, susan!").await;
    // Else the page has been loaded meanwhile, and the browser translates again.
    let still = "return PublicKeyCredential.parseRequestOptionsFromJSON === undefined";
    assert_eq!(susan.run(still, json!([])).await, true);
}

async fn without_passkeys_nothing_of_them_is_shown() {
    let house = House::with(&[("LATCHKEY_PASSKEYS", "off")]).await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    susan.reads("#factors", "Not set up").await;
    assert!(!susan.shows(Button, "Add a passkey").await);
    log_out(&susan).await;
    assert!(!susan.shows(Button, "Sign in with a passkey").await);

    let house = House::open().await;
    let john = house.browser().await;
    let poor = json!({"source": "delete window.PublicKeyCredential"});
    let command = "Page.addScriptToEvaluateOnNewDocument";
    john.driver.devtools(command, poor).await;
    house.register("john").await;
    john.log_in("john").await;
    john.click(Link, "Account").await;
    john.reads("#passkeys", "This browser cannot use passkeys.")
        .await;
    assert!(!john.shows(Button, "Add a passkey").await);
    log_out(&john).await;
    assert!(!john.shows(Button, "Sign in with a passkey").await);
    for complaint in john.complaints().await {
        assert!(complaint.contains("/api/me - "), "{complaint}");
    }
}
