//! A tour through every page, in every state that a person can get it into.

use crate::authenticator::Authenticator;
use crate::browser::Browser;
use crate::hands::{Button, Checkbox, Field, Link};
use crate::house::House;
use crate::phone::Phone;
use crate::providers::{logs_in, somebody, with_provider};
use crate::support::PASSWORD;
use serde_json::json;

/// Calls `look` at each stop, with its name.
pub async fn tour(look: impl AsyncFn(&Browser, &str)) {
    let nameless = json!({"sub": "1", "preferred_username": "sue"});
    let (house, provider, _file) = with_provider(nameless).await;
    house.register("susan").await;
    house.register("john").await;
    let browser = house.browser().await;
    as_nobody(&browser, &look).await;
    at_the_ends_of_links(&browser, &look).await;
    browser.open("/login").await;
    browser.click(Button, "Continue with The acme").await;
    browser.heads("Choose a username").await;
    look(&browser, "choose-username").await;
    browser
        .open("/login?error=oidc_email_in_use&provider=acme")
        .await;
    browser.reads("[role=status]", "").await;
    look(&browser, "login-in-vain").await;
    provider.lie(logs_in(somebody("susan")));
    browser.log_in("susan").await;
    look(&browser, "home").await;
    browser.click(Link, "Account").await;
    browser.click(Button, "Connect The acme").await;
    browser.reads("[role=status]", "is connected").await;
    house.operator(&["users", "grant", "susan", "admin"]);
    at_the_account(&house, &browser, &look).await;
    as_administrator(&browser, &look).await;
    let device = browser.plug_in().await;
    at_the_factors(&house, &browser, &device, &look).await;
    at_the_second_step(&house, &browser, &device, &look).await;
    house.wait_for_mails(2).await;
    browser.open("/dev/mailbox").await;
    browser.heads("Mailbox").await;
    look(&browser, "mailbox").await;
}

async fn as_nobody(browser: &Browser, look: &impl AsyncFn(&Browser, &str)) {
    browser.open("/").await;
    browser.heads("Sign In").await;
    look(browser, "login").await;
    browser.enter("john", "another-Lamp-42-river").await;
    browser.reads("[role=alert]", "").await;
    look(browser, "login-wrong").await;

    browser.click(Link, "Click to Register!").await;
    browser.heads("Register").await;
    look(browser, "register").await;
    for (label, text) in [
        ("Username", "susan"),
        ("Email", "susan@"),
        ("Password", "password1"),
        ("Repeat Password", "password2"),
    ] {
        browser.fill(label, text).await;
    }
    browser.click(Button, "Register").await;
    browser.counts("[aria-invalid=true]", 4).await;
    look(browser, "register-wrong").await;

    browser.open("/forgot").await;
    browser.heads("Reset Password").await;
    look(browser, "forgot").await;
    browser.open("/nowhere").await;
    browser.heads("Page not found").await;
    look(browser, "not-found").await;
}

async fn at_the_ends_of_links(browser: &Browser, look: &impl AsyncFn(&Browser, &str)) {
    for (page, heading) in [
        ("reset", "Choose a new password"),
        ("verify", "Verify your address"),
        ("change-email", "Confirm your new address"),
        ("not-me", "This was not me"),
    ] {
        browser
            .open(&format!("/{page}#token=0123456789abcdef"))
            .await;
        browser.heads(heading).await;
        look(browser, page).await;
    }
    browser.click(Button, "Take my account back").await;
    browser.reads("[role=alert]", "").await;
    look(browser, "not-me-wrong").await;
    browser.open("/reset").await;
    browser.heads("Open the link in your mail").await;
    look(browser, "reset-no-token").await;
    browser.open("/verify").await;
    browser.find(Button, "Send again").await;
    look(browser, "verify-resend").await;
}

async fn at_the_account(house: &House, browser: &Browser, look: &impl AsyncFn(&Browser, &str)) {
    house.visitor().log_in("susan").await.expect(200);
    browser.click(Link, "Account").await;
    browser.heads("Account").await;
    look(browser, "account").await;
    browser
        .fill("Current password", "another-Lamp-42-river")
        .await;
    browser.fill("New password", "password1").await;
    browser.click(Button, "Change password").await;
    browser.counts("[aria-invalid=true]", 1).await;
    look(browser, "account-wrong").await;
    house.let_time_pass(browser).await;
    browser.click(Button, "Download").await;
    browser.counts("dialog[open]", 1).await;
    look(browser, "account-password-again").await;
    browser.click(Button, "Cancel").await;
    browser.counts("dialog[open]", 0).await;
}

async fn as_administrator(browser: &Browser, look: &impl AsyncFn(&Browser, &str)) {
    browser.click(Link, "Admin").await;
    browser.heads("Users").await;
    browser.counts("#user-list li", 2).await;
    look(browser, "admin").await;
    browser.click(Link, "john").await;
    browser.heads("john").await;
    look(browser, "admin-user").await;
    browser.click(Link, "All users").await;
    browser.fill("Name or e-mail begins with", "nobody").await;
    browser.click(Button, "Search").await;
    browser.sees("Nobody was found.").await;
    look(browser, "admin-nobody").await;
}

/// Each dialog of the second factor and of passkeys, and `/account` when it has something of everything.
async fn at_the_factors(
    house: &House,
    browser: &Browser,
    device: &Authenticator<'_>,
    look: &impl AsyncFn(&Browser, &str),
) {
    browser.open("/account").await;
    browser.click(Button, "Set up an authenticator app").await;
    let asks = browser.find_dialog().await;
    let password = browser.find_in(&asks, Field, "Password").await;
    browser.type_into(&password, PASSWORD).await;
    browser.click(Button, "Confirm").await;
    let phone = Phone::reading(browser).await;
    look(browser, "account-app").await;
    browser
        .fill("Code that the app shows", &phone.wrong_code())
        .await;
    browser.click(Button, "Switch on").await;
    browser.counts("[aria-invalid=true]", 1).await;
    look(browser, "account-app-wrong").await;
    browser.fill("Code that the app shows", &phone.code()).await;
    browser.click(Button, "Switch on").await;
    browser.find(Button, "I have saved them").await;
    look(browser, "account-recovery-codes").await;
    browser.click(Button, "I have saved them").await;
    browser.reads("[role=status]", "is on").await;

    device.touch(true).await;
    browser.fill("Name of a new passkey", "My laptop").await;
    browser.click(Button, "Add a passkey").await;
    browser.find(Button, "Remove My laptop").await;
    browser.click(Button, "Add a passkey").await;
    browser.reads("[role=alert]", "").await;
    device.touch(false).await;
    house.fill_the_account().await;
    look(browser, "account-passkey-twice").await;
    browser.open("/account").await;
    browser.find(Button, "Remove all").await;
    look(browser, "account-factors").await;
    browser.click(Button, "Rename My laptop").await;
    look(browser, "account-rename").await;
    browser.click(Button, "Cancel").await;
    browser.click(Button, "Switch off").await;
    browser.find_dialog().await;
    look(browser, "account-switch-off").await;
    browser.click(Button, "Cancel").await;
    house.let_time_pass(browser).await;
    browser.click(Button, "Download").await;
    browser.find_dialog().await;
    look(browser, "account-both-again").await;
    browser.click(Button, "Cancel").await;
    browser.counts("dialog[open]", 0).await;
}

impl House {
    /// A passkey of another domain, and a browser that is trusted.
    async fn fill_the_account(&self) {
        self.database
            .sql(
                "insert into passkeys (id, user_id, credential_id, public_key, sign_count, transports, \
                 backup_eligible, backed_up, rp_id, name) select gen_random_uuid(), user_id, '\\x00', public_key, 0, \
                 transports, true, true, 'app.example', 'Security key of an app that has moved' from passkeys",
            )
            .await;
        self.database
            .sql(
                "insert into trusted_devices (id, user_id, user_agent, ip, expires_at) select gen_random_uuid(), id, \
                 agent, '2001:db8::1:2:3', now() + interval '29 days 23 hours' from users, \
                 unnest(array['Firefox Android', 'Safari iPhone']) agent where username = 'susan'",
            )
            .await;
    }
}

async fn at_the_second_step(
    house: &House,
    browser: &Browser,
    device: &Authenticator<'_>,
    look: &impl AsyncFn(&Browser, &str),
) {
    browser.click(Button, "Logout").await;
    browser.heads("Sign In").await;
    browser.enter("susan", PASSWORD).await;
    browser.find(Field, "Authentication code").await;
    look(browser, "second-factor").await;
    browser.fill("Authentication code", "12345").await;
    browser.click(Button, "Verify").await;
    browser.counts("[aria-invalid=true]", 1).await;
    look(browser, "second-factor-wrong").await;
    browser.click(Button, "Use a recovery code").await;
    look(browser, "second-factor-recovery").await;
    let sql = "delete from totp_secrets";
    house.database.sql(sql).await;
    browser
        .driver
        .call("/refresh", serde_json::json!({}))
        .await
        .unwrap();
    browser.find(Button, "Use a passkey").await;
    look(browser, "second-factor-passkey").await;
    browser.click(Checkbox, "Trust this device").await;
    device.touch(true).await;
    browser.click(Button, "Use a passkey").await;
    browser.heads("Hi, susan!").await;
}
