//! Second factors on and off; and the authenticator app of the tests, which shares no code with the library.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::{App, PASSWORD, Reply, Visitor, field_codes, send};

/// What somebody has whose second factor is on.
pub struct Authenticator {
    /// In base32, as the server showed it.
    pub secret: String,
    pub recovery_codes: Vec<String>,
}

impl Authenticator {
    /// The code of a time step (RFC 4226 section 5.3, RFC 6238).
    pub fn code_of(&self, step: i64) -> String {
        let key = decoded(&self.secret);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
        let mac = hmac::sign(&key, &step.to_be_bytes());
        let offset = usize::from(mac.as_ref()[19] & 15);
        let four = mac.as_ref()[offset..][..4].try_into().unwrap();
        format!(
            "{:06}",
            (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000
        )
    }

    /// What the app shows now, and what is as good as one that nobody used.
    pub async fn unused_code(&self, app: &App) -> String {
        app.sql("update totp_secrets set last_step = 0").await;
        self.code_of(step_now())
    }

    /// A code that is right at no time near.
    pub fn wrong_code(&self) -> String {
        self.wrong_codes(1).remove(0)
    }

    pub fn wrong_codes(&self, count: usize) -> Vec<String> {
        let near: Vec<_> = (-20..20).map(|n| self.code_of(step_now() + n)).collect();
        let all = (0..1_000_000).map(|n| format!("{n:06}"));
        all.filter(|code| !near.contains(code))
            .take(count)
            .collect()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "codes go by the clock, which is also the database's"
)]
pub fn seconds_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

pub fn step_now() -> i64 {
    seconds_now() / 30
}

/// RFC 4648 base32 without padding.
pub fn decoded(base32: &str) -> Vec<u8> {
    let five = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'2'..=b'7' => c - b'2' + 26,
        other => panic!("{other} in a secret"),
    };
    let bits: Vec<u8> = base32
        .bytes()
        .flat_map(|c| (0..5).rev().map(move |bit| five(c) >> bit & 1))
        .collect();
    bits.chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit))
        .collect()
}

/// The secret that the server offers.
pub async fn offer(visitor: &Visitor) -> Authenticator {
    let offer = visitor.post("/api/totp", json!({})).await.expect(201);
    Authenticator {
        secret: offer.body["secret"].as_str().unwrap().to_owned(),
        recovery_codes: Vec::new(),
    }
}

pub async fn confirm(visitor: &Visitor, code: &str) -> Reply {
    visitor
        .post("/api/totp/confirm", json!({"code": code}))
        .await
}

/// Turns the second factor on.
pub async fn enrol(visitor: &Visitor) -> Authenticator {
    let mut authenticator = offer(visitor).await;
    let code = authenticator.code_of(step_now());
    let on = confirm(visitor, &code).await.expect(200);
    authenticator.recovery_codes = texts(&on.body["recovery_codes"]);
    authenticator
}

pub fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// Somebody who is logged in and has their second factor on.
pub async fn protected(app: &App, name: &str) -> (Visitor, Authenticator) {
    let visitor = app.logged_in(name).await;
    let authenticator = enrol(&visitor).await;
    (visitor, authenticator)
}

/// A new browser in which somebody gave the right password.
pub async fn halfway(app: &App, name: &str) -> Visitor {
    let visitor = app.visitor();
    let asked = visitor.log_in(name).await;
    asked.refused(401, "second_factor_required");
    visitor
}

pub async fn show(visitor: &Visitor, code: &str) -> Reply {
    let form = json!({"code": code});
    visitor.post("/api/login/second-factor", form).await
}

pub async fn show_recovery(visitor: &Visitor, code: &str) -> Reply {
    let form = json!({"recovery_code": code});
    visitor.post("/api/login/second-factor", form).await
}

/// How many of these answers opened a session.
pub fn opened(replies: &[Reply]) -> usize {
    replies.iter().filter(|reply| reply.status == 200).count()
}

/// G7.
#[tokio::test]
async fn an_enrolment_that_nobody_confirmed_is_never_asked_for() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let offered = offer(&susan).await;
    assert_eq!(decoded(&offered.secret).len(), 20);
    app.visitor().log_in("susan").await.expect(200);
    let wrong = confirm(&susan, &offered.wrong_code()).await;
    let wrong = wrong.refused(422, "validation_failed");
    assert_eq!(field_codes(&wrong.body), ["code: incorrect"]);
    app.visitor().log_in("susan").await.expect(200);
    app.sql("update totp_secrets set created_at = now() - interval '10 minutes 1 second'")
        .await;
    let late = confirm(&susan, &offered.code_of(step_now())).await;
    late.refused(410, "step_expired");
    app.visitor().log_in("susan").await.expect(200);
    let me = susan.get("/api/me").await.expect(200).body;
    assert_eq!(me["session"]["factors"], 1);
    let ways = susan.get("/api/login-methods").await.expect(200).body;
    assert_eq!(ways["totp"], false);
    assert_eq!(ways["second_factor_required"], false);
}

#[tokio::test]
async fn of_several_offers_the_newest_counts() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let (first, second) = (offer(&susan).await, offer(&susan).await);
    assert_ne!(first.secret, second.secret);
    let old = confirm(&susan, &first.code_of(step_now())).await;
    old.refused(422, "validation_failed");
    confirm(&susan, &second.code_of(step_now()))
        .await
        .expect(200);
    susan
        .post("/api/totp", json!({}))
        .await
        .refused(409, "already_enabled");
    let again = confirm(&susan, &second.code_of(step_now() + 1)).await;
    again.refused(410, "step_expired");
}

#[tokio::test]
async fn an_offer_is_a_uri_and_a_picture_of_it() {
    let app = App::with(&["--app-name=Caf\u{e9} & Co"]).await;
    let susan = app.logged_in("susan").await;
    let offer = susan.post("/api/totp", json!({})).await.expect(201).body;
    let uri = url::Url::parse(offer["otpauth_uri"].as_str().unwrap()).unwrap();
    assert_eq!((uri.scheme(), uri.host_str()), ("otpauth", Some("totp")));
    let label = percent_encoding::percent_decode_str(&uri.path()[1..]);
    assert_eq!(label.decode_utf8().unwrap(), "Caf\u{e9} & Co:susan");
    let value = |name: &str| {
        let pair = uri.query_pairs().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.into_owned())
    };
    assert_eq!(value("secret").as_deref(), offer["secret"].as_str());
    assert_eq!(value("issuer").as_deref(), Some("Caf\u{e9} & Co"));
    let svg = offer["qr_svg"].as_str().unwrap();
    assert!(svg.contains("<svg") && !svg.contains("<script"), "{svg}");
}

/// G12.
#[tokio::test]
async fn a_change_of_factors_ends_the_other_sessions_unless_told_not_to() {
    let app = App::start().await;
    for (n, end) in [None, Some(true), Some(false)].into_iter().enumerate() {
        let name = format!("user{n}");
        let (susan, other) = (app.logged_in(&name).await, app.visitor());
        other.log_in(&name).await.expect(200);
        let lives = end == Some(false);
        let revoked = u64::from(!lives);
        let offered = offer(&susan).await;
        let mut form = json!({"code": offered.code_of(step_now()), "end_other_sessions": end});
        let on = susan.post("/api/totp/confirm", form).await.expect(200);
        assert_eq!(on.body["revoked"], revoked, "{end:?}");
        assert_eq!(other.is_logged_in().await, lives, "{end:?}");
        assert!(susan.is_logged_in().await);
        let other = halfway(&app, &name).await;
        let code = offered.unused_code(&app).await;
        show(&other, &code).await.expect(200);
        form = json!({"end_other_sessions": end});
        let off = susan.request(Method::DELETE, "/api/totp").json(&form);
        let off = send(off).await.expect(200).body;
        assert_eq!(off["revoked"], revoked, "{end:?}");
        assert_eq!(off["second_factor_required"], false);
        assert_eq!(other.is_logged_in().await, lives, "{end:?}");
        let me = susan.get("/api/me").await.expect(200).body;
        assert_eq!(me["session"]["factors"], 1);
        app.visitor().log_in(&name).await.expect(200);
        assert_eq!(app.count("select count(*) from recovery_sets").await, 0);
    }
}

#[tokio::test]
async fn without_a_second_factor_there_is_none_to_turn_off_or_renew() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    offer(&susan).await;
    for path in ["/api/totp", "/api/second-factor"] {
        susan.delete(path).await.refused(409, "no_second_factor");
    }
    for path in ["/api/second-factor", "/api/recovery-codes"] {
        let asked = susan.post(path, json!({"password": PASSWORD})).await;
        asked.refused(409, "no_second_factor");
    }
}
