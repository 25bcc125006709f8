//! Chromium's virtual authenticator: a device of one's own with passkeys, whose owner touches it when the test says so.
//!
//! <https://www.w3.org/TR/webauthn-3/#sctn-automation>. Two things are not as with a real device. As soon as it has a
//! passkey and its owner touches it, it also answers the request of the autofill (`mediation: "conditional"`), without
//! anybody at the field. And without a passkey it refuses that request at once, which otherwise waits.

use serde_json::{Value, json};

use crate::browser::Browser;

/// Counts the requests of the autofill that wait for the device.
const COUNT_REQUESTS: &str = "
    const get = navigator.credentials.get.bind(navigator.credentials);
    window.waiting = 0;
    navigator.credentials.get = (options) => {
        const asked = get(options);
        if (options.mediation === 'conditional') {
            window.waiting += 1;
            asked.catch(() => {}).finally(() => { window.waiting -= 1; });
        }
        return asked;
    };";

pub struct Authenticator<'a> {
    browser: &'a Browser,
    id: String,
}

impl Browser {
    /// A device that is part of the computer, keeps passkeys, and knows its owner. Nobody touches it yet.
    pub async fn plug_in(&self) -> Authenticator<'_> {
        let kind = json!({
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserVerified": true,
        });
        let id = self.driver.call("/webauthn/authenticator", kind).await;
        let authenticator = Authenticator {
            browser: self,
            id: id.unwrap().as_str().unwrap().to_owned(),
        };
        authenticator.touch(false).await;
        self.run(COUNT_REQUESTS, json!([])).await;
        let command = "Page.addScriptToEvaluateOnNewDocument";
        let later = json!({"source": COUNT_REQUESTS});
        self.driver.devtools(command, later).await;
        authenticator
    }
}

impl Authenticator<'_> {
    /// Whether its owner touches it whenever it asks. Until then, requests wait.
    pub async fn touch(&self, touched: bool) {
        let parameters = json!({"authenticatorId": self.id, "enabled": touched});
        let command = "WebAuthn.setAutomaticPresenceSimulation";
        self.browser.driver.devtools(command, parameters).await;
    }

    /// Waits until the autofill asks it. If that asked later, a touched device would answer it, and not a button.
    pub async fn is_asked_by_autofill(&self) {
        let waits = "return window.waiting === 1";
        let what = "the autofill to wait";
        self.browser.until_true(what, waits, json!([])).await;
    }

    /// Its passkeys, with their private keys.
    pub async fn passkeys(&self) -> Vec<Value> {
        let path = format!("/webauthn/authenticator/{}/credentials", self.id);
        let found = self.browser.driver.get(&path).await.unwrap();
        found.as_array().unwrap().clone()
    }

    /// Waits until it has so many.
    pub async fn has(&self, count: usize) {
        self.browser
            .until(&format!("{count} passkeys"), async || {
                Ok((self.passkeys().await.len() == count).then_some(()))
            })
            .await;
    }

    /// Puts a passkey back, as somebody does who has a copy of it.
    pub async fn restore(&self, passkey: &Value) {
        let path = format!("/webauthn/authenticator/{}/credential", self.id);
        let restored = self.browser.driver.call(&path, passkey.clone()).await;
        restored.unwrap();
    }
}
