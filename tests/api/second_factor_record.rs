//! What is written down and counted of second factors.

use serde_json::{Value, json};

use crate::metrics::{FLAGS, Scrape};
use crate::passkeys::{list, remove};
use crate::second_factor::{Authenticator, enrol, halfway, protected, show, show_recovery};
use crate::support::authenticator::Authenticator as Device;
use crate::support::{App, PASSWORD, Visitor};

/// A user's events, as they come.
struct Diary<'a> {
    of: &'a Visitor,
    seen: usize,
}

impl<'a> Diary<'a> {
    async fn of(visitor: &'a Visitor) -> Self {
        let mut diary = Self {
            of: visitor,
            seen: 0,
        };
        diary.seen = diary.kinds().await.len();
        diary
    }

    /// The newest first.
    async fn kinds(&self) -> Vec<String> {
        let all = self.of.get("/api/me/events?limit=100").await.expect(200);
        let kind = |event: &Value| event["kind"].as_str().unwrap().to_owned();
        all.body["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(kind)
            .collect()
    }

    /// What has come since the last look.
    async fn reads(&mut self, expected: &[&str]) {
        let all = self.kinds().await;
        assert_eq!(all[..all.len() - self.seen], *expected);
        self.seen = all.len();
    }
}

/// Everything that can be done with codes, right and wrong.
async fn use_codes(app: &App, susan: &Visitor, ours: &Authenticator) {
    let mut diary = Diary::of(susan).await;
    let browser = halfway(app, "susan").await;
    show(&browser, &ours.wrong_code()).await.expect(401);
    diary.reads(&["second_factor_failed"]).await;
    let form = json!({"code": ours.unused_code(app).await, "trust_device": true});
    let done = browser.post("/api/login/second-factor", form).await;
    done.expect(200);
    diary.reads(&["device_trusted", "logged_in"]).await;
    susan.delete("/api/trusted-devices").await.expect(204);
    diary.reads(&["device_forgotten"]).await;

    let browser = halfway(app, "susan").await;
    let used = show_recovery(&browser, &ours.recovery_codes[0]).await;
    assert_eq!(used.expect(200).body["recovery_codes_left"], 9);
    diary.reads(&["recovery_code_used", "logged_in"]).await;
    let again = halfway(app, "susan").await;
    let used = show_recovery(&again, &ours.recovery_codes[0]).await;
    used.refused(401, "invalid_code");
    diary.reads(&["second_factor_failed"]).await;

    let form = json!({"password": PASSWORD, "recovery_code": ours.recovery_codes[1]});
    for (status, kinds) in [
        (200, &["reauthenticated", "recovery_code_used"][..]),
        (422, &["second_factor_failed"]),
    ] {
        let proof = susan.post("/api/reauthenticate", form.clone()).await;
        proof.expect(status);
        diary.reads(kinds).await;
    }
}

async fn prove(visitor: &Visitor, device: &mut Device) {
    let signed = device.sign(&visitor.passkey_options("reauthenticate").await);
    let form = json!({"credential": signed});
    let proof = visitor.post("/api/reauthenticate", form).await;
    proof.expect(200);
}

#[tokio::test]
async fn every_use_of_a_second_factor_is_an_event_and_counted() {
    let app = App::with(&FLAGS[..1]).await;
    let (susan, ours) = protected(&app, "susan").await;
    use_codes(&app, &susan, &ours).await;
    let mut device = susan.add_passkey().await;
    let mut diary = Diary::of(&susan).await;
    let browser = halfway(&app, "susan").await;
    let signed = device.sign(&browser.passkey_options("second_factor").await);
    let form = json!({"credential": signed});
    let done = browser.post("/api/login/second-factor", form).await;
    done.expect(200);
    diary.reads(&["logged_in"]).await;
    prove(&susan, &mut device).await;
    diary.reads(&["reauthenticated"]).await;

    let scrape = Scrape::at(&app).await;
    for (method, result, count) in [
        ("totp", "good", 1.0),
        ("totp", "bad", 1.0),
        ("recovery_code", "good", 2.0),
        ("recovery_code", "bad", 2.0),
        ("passkey", "good", 1.0),
        ("passkey", "bad", 0.0),
    ] {
        let series =
            format!("latchkey_second_factor_total{{method=\"{method}\",result=\"{result}\"}}");
        assert_eq!(scrape.value(&series), count, "{series}");
    }
}

#[tokio::test]
async fn every_change_of_a_second_factor_is_an_event() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let mut diary = Diary::of(&susan).await;
    enrol(&susan).await;
    diary.reads(&["totp_enabled"]).await;
    let codes = susan.post("/api/recovery-codes", json!({})).await;
    codes.expect(201);
    diary.reads(&["recovery_codes_renewed"]).await;
    let mut device = susan.add_passkey().await;
    diary.reads(&["passkey_added"]).await;
    susan.delete("/api/totp").await.expect(200);
    diary.reads(&["totp_disabled"]).await;
    // The session has one factor less.
    prove(&susan, &mut device).await;
    diary.reads(&["reauthenticated"]).await;
    susan.delete("/api/second-factor").await.expect(200);
    diary.reads(&["second_factor_disabled"]).await;
    let on = susan.post("/api/second-factor", json!({})).await;
    on.expect(200);
    diary.reads(&["second_factor_enabled"]).await;
    susan.delete("/api/second-factor").await.expect(200);
    diary.reads(&["second_factor_disabled"]).await;
    let id = &list(&susan).await["passkeys"][0]["id"];
    remove(&susan, id).await.expect(200);
    diary.reads(&["passkey_removed"]).await;
}
