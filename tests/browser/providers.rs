//! Logging in with an account at a provider, through the page: with a certified provider, and with one of our own.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::hands::{Button, Field, Link};
use crate::house::{House, free_port};
use crate::needs::{self, Need};
use crate::registering::is_wrong;
use crate::second_factor::switch_on;
use crate::support::process::TempDir;
use crate::support::provider::{File, Lies, Provider, file};
use crate::support::{PASSWORD, wait_until};

crate::tests! {
    Need::Provider => [
        a_certified_provider_lets_somebody_new_in_and_confirms_who_they_are,
        a_certified_provider_is_connected_and_disconnected,
    ]
    Need::Browser => [
        somebody_new_chooses_a_name,
        the_second_factor_is_asked_for_after_the_provider,
        what_went_wrong_is_said_once,
        whoever_has_no_password_confirms_with_the_provider,
        without_providers_nothing_of_them_is_shown,
    ]
}

/// A provider that logs this person in at once, and a house that trusts it.
pub async fn with_provider(person: Value) -> (House, Provider, File) {
    let provider = Provider::start().await;
    provider.lie(logs_in(person));
    let file = file(&[("acme", &provider, "")]);
    let path = file.flag.split_once('=').unwrap().1.to_owned();
    let house = House::with(&[("LATCHKEY_OIDC_PROVIDERS", &path)]).await;
    (house, provider, file)
}

pub fn logs_in(person: Value) -> Lies {
    Lies {
        person,
        ..Lies::default()
    }
}

pub fn somebody(name: &str) -> Value {
    json!({"sub": name, "email": format!("{name}@acme.example"), "email_verified": true, "preferred_username": name})
}

/// node-oidc-provider, and a house that trusts it.
struct Certified {
    node: Child,
    house: House,
    _directory: TempDir,
}

impl Certified {
    async fn open() -> Self {
        let (port, own) = (free_port(), free_port());
        let secret = "a secret: 100% of it";
        let back = format!("http://localhost:{own}/api/oidc/local/callback");
        let node = Command::new("node")
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/browser/provider.mjs"
            ))
            .arg(needs::oidc_provider())
            .args([&port.to_string(), secret, &back])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let listens = async || TcpStream::connect(("localhost", port)).is_ok();
        wait_until("the provider listens", listens).await;
        let directory = TempDir::new();
        std::fs::write(directory.0.join("local.secret"), secret).unwrap();
        let table = format!(
            "[local]\nissuer = \"http://localhost:{port}\"\nclient_id = \"latchkey\"\n\
             client_secret_file = \"local.secret\"\nlabel = \"Local\"\n"
        );
        let path = directory.0.join("providers.toml");
        std::fs::write(&path, table).unwrap();
        let listen = format!("127.0.0.1:{own}");
        let settings = [
            ("LATCHKEY_OIDC_PROVIDERS", path.to_str().unwrap()),
            ("LATCHKEY_LISTEN", &listen),
        ];
        let house = House::with(&settings).await;
        Self {
            node,
            house,
            _directory: directory,
        }
    }
}

impl Drop for Certified {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

/// At the provider's own pages. It asks only once whether we may know.
async fn log_in_there(browser: &Browser, name: &str) {
    sign_in_there(browser, name).await;
    browser.heads("Authorize").await;
    browser.click(Button, "Continue").await;
}

async fn sign_in_there(browser: &Browser, name: &str) {
    browser.heads("Sign-in").await;
    let fill = "document.querySelector('[name=login]').value = arguments[0];
        document.querySelector('[name=password]').value = 'x';
        document.querySelector('form').requestSubmit();";
    browser.run(fill, json!([name])).await;
}

async fn a_certified_provider_lets_somebody_new_in_and_confirms_who_they_are() {
    let certified = Certified::open().await;
    let house = &certified.house;
    let susan = house.browser().await;
    susan.open("/login?next=%2Faccount").await;
    susan.click(Button, "Continue with Local").await;
    log_in_there(&susan, "susan").await;
    susan.heads("Choose a username").await;
    susan.sees("susan@provider.example").await;
    susan.click(Button, "Create account").await;
    susan.at("/account").await;
    susan.heads("Account").await;
    susan.reads("#identity-list", "Local").await;
    // It is the only way in.
    susan.click(Button, "Disconnect Local").await;
    let asks = susan.find_dialog().await;
    susan
        .click_on(&susan.find_in(&asks, Button, "Disconnect").await)
        .await;
    susan.reads("[role=alert]", "only way to log in").await;
    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;

    // The provider remembers who they are.
    susan.click(Button, "Continue with Local").await;
    susan.heads("Hi, susan!").await;

    // It is asked to confirm that they are there, and asks them.
    house.let_time_pass(&susan).await;
    susan.click(Link, "Account").await;
    susan.click(Button, "Download").await;
    susan.find_dialog().await;
    susan.click(Button, "Confirm with Local").await;
    sign_in_there(&susan, "susan").await;
    susan
        .reads("[role=status]", "Please do it again now.")
        .await;
    susan.at("/account").await;
    susan.click(Button, "Download").await;
    let count = "select count(*) from security_events where kind = 'data_exported'";
    wait_until("the export is there", async || {
        house.count(count).await == 1
    })
    .await;
}

async fn a_certified_provider_is_connected_and_disconnected() {
    let certified = Certified::open().await;
    let house = &certified.house;
    let david = house.home_of("david").await;
    david.click(Link, "Account").await;
    david.click(Button, "Connect Local").await;
    log_in_there(&david, "dave").await;
    david
        .reads("[role=status]", "Local is connected to your account.")
        .await;
    david.reads("#identity-list", "dave@provider.example").await;
    let (phone, _) = switch_on(&david).await;
    house.forget_used_codes().await;
    david.click(Button, "Logout").await;
    david.heads("Sign In").await;
    david.click(Button, "Continue with Local").await;
    david.heads("Two-factor authentication").await;
    david.fill("Authentication code", &phone.code()).await;
    david.click(Button, "Verify").await;
    david.heads("Hi, david!").await;
    david.click(Link, "Account").await;
    david.click(Button, "Disconnect Local").await;
    let asks = david.find_dialog().await;
    david
        .click_on(&david.find_in(&asks, Button, "Disconnect").await)
        .await;
    david.reads("[role=status]", "Local is disconnected.").await;
    assert_eq!(house.count("select count(*) from identities").await, 0);
}

async fn somebody_new_chooses_a_name() {
    let (house, _provider, _file) =
        with_provider(json!({"sub": "1", "preferred_username": "x"})).await;
    let browser = house.browser().await;
    browser.open("/login").await;
    browser.click(Link, "Click to Register!").await;
    browser.heads("Register").await;
    browser.click(Button, "Continue with The acme").await;
    browser.heads("Choose a username").await;
    browser.fill("Username", "a").await;
    browser.click(Button, "Create account").await;
    is_wrong(&browser, "Username", "").await;
    is_wrong(&browser, "Email", "").await;
    // The server knows how far they have come.
    browser.open("/register?step=choose_username").await;
    browser.fill("Username", "susan").await;
    browser.fill("Email", "susan@example.com").await;
    browser.click(Button, "Create account").await;
    browser.heads("Sign In").await;
    browser
        .reads("[role=status]", "confirm your email address")
        .await;
    browser.open("/register?step=choose_username").await;
    browser.heads("Sign In").await;
    browser.click(Button, "Continue with The acme").await;
    browser.heads("Choose a username").await;
    browser.click(Button, "Cancel").await;
    browser.heads("Sign In").await;
    assert_eq!(
        house
            .count("select count(*) from login_steps where expires_at > now()")
            .await,
        0
    );
}

async fn the_second_factor_is_asked_for_after_the_provider() {
    let (house, _provider, _file) = with_provider(somebody("susan")).await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    susan.click(Button, "Connect The acme").await;
    susan
        .reads("[role=status]", "The acme is connected to your account.")
        .await;
    susan.at("/account").await;
    let (phone, _) = switch_on(&susan).await;
    house.forget_used_codes().await;
    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;
    susan.open("/login?next=%2Faccount").await;
    susan.click(Button, "Continue with The acme").await;
    susan.heads("Two-factor authentication").await;
    susan.fill("Authentication code", &phone.code()).await;
    susan.click(Button, "Verify").await;
    susan.at("/account").await;
}

async fn what_went_wrong_is_said_once() {
    let (house, _provider, _file) = with_provider(somebody("susan")).await;
    house.register("susan").await;
    house
        .database
        .sql("update users set email = 'susan@acme.example'")
        .await;
    let browser = house.browser().await;
    browser.open("/login").await;
    browser.click(Button, "Continue with The acme").await;
    browser
        .reads(
            "[role=status]",
            "There is already an account here with your email address.",
        )
        .await;
    browser.at("/login").await;
    browser.open("/login").await;
    browser.heads("Sign In").await;
    assert!(!browser.text().await.contains("already an account here"));
    // An address could hold anybody's words.
    browser
        .open("/login?error=%3Cb%3Eevil&provider=%3Cb%3E")
        .await;
    browser.reads("[role=status]", "Something went wrong").await;
    assert!(!browser.text().await.contains("evil"));
}

async fn whoever_has_no_password_confirms_with_the_provider() {
    let (house, _provider, _file) = with_provider(somebody("susan")).await;
    let susan = house.browser().await;
    susan.open("/login").await;
    susan.click(Button, "Continue with The acme").await;
    susan.heads("Choose a username").await;
    susan.click(Button, "Create account").await;
    susan.heads("Hi, susan!").await;
    house.let_time_pass(&susan).await;
    susan.click(Link, "Account").await;
    susan.click(Button, "Set up an authenticator app").await;
    susan.find(Button, "Confirm with The acme").await;
    let no_password = "return document.querySelector('dialog[open] [name=password]').disabled";
    susan
        .until_true("no password is asked for", no_password, json!([]))
        .await;
    susan.click(Button, "Confirm with The acme").await;
    susan
        .reads("[role=status]", "Please do it again now.")
        .await;
    susan.at("/account").await;
    susan.click(Button, "Set up an authenticator app").await;
    let asks = susan.find_dialog().await;
    susan.find_in(&asks, Field, "Code that the app shows").await;
    susan.click(Button, "Cancel").await;
    let is_hidden = "return document.querySelector('.field:has(#current_password)').hidden";
    susan
        .until_true("there is no password yet", is_hidden, json!([]))
        .await;
    susan.fill("New password", PASSWORD).await;
    susan.click(Button, "Set a password").await;
    susan.reads("[role=status]", "Your password is set.").await;
    susan.find(Field, "Current password").await;
    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;
    susan.log_in("susan").await;
}

async fn without_providers_nothing_of_them_is_shown() {
    let house = House::open().await;
    let susan = house.home_of("susan").await;
    susan.click(Link, "Account").await;
    susan.heads("Account").await;
    assert!(!susan.text().await.contains("Connected accounts"));
    susan.click(Button, "Logout").await;
    susan.heads("Sign In").await;
    assert!(!susan.text().await.contains("Continue with"));
}
