//! Devices and browsers that lie: whatever they change, nobody gets in and nothing breaks.

use serde_json::{Value, json};

use crate::support::authenticator::{Authenticator, EDDSA, ES384, Said, random};
use crate::support::{App, Visitor, field_codes};

/// What is wrong, and how.
type Lie = (&'static str, fn(&mut Said));

const AT_REGISTRATION: [Lie; 14] = [
    ("origin", |said| {
        said.origin = "https://evil.example".to_owned()
    }),
    ("port", |said| {
        said.origin = "http://localhost:5173".to_owned()
    }),
    ("cross origin", |said| said.cross_origin = Some(true)),
    ("type", |said| said.kind = "webauthn.get"),
    ("domain", |said| said.rp_id = "evil.example".to_owned()),
    ("no presence", |said| said.user_present = false),
    ("no verification", |said| said.user_verified = false),
    ("neither", |said| {
        (said.user_present, said.user_verified) = (false, false)
    }),
    ("backed up, but not eligible", |said| said.backed_up = true),
    ("algorithm of another curve", |said| said.algorithm = ES384),
    ("algorithm without a curve", |said| said.algorithm = EDDSA),
    ("CBOR", |said| said.missing = 1),
    ("format", |said| said.attestation = "packed"),
    ("unknown format", |said| said.attestation = "susan"),
];

const AT_LOGIN: [Lie; 11] = [
    ("type", |said| said.kind = "webauthn.create"),
    ("domain", |said| said.rp_id = "evil.example".to_owned()),
    ("no presence", |said| said.user_present = false),
    ("no verification", |said| said.user_verified = false),
    ("neither", |said| {
        (said.user_present, said.user_verified) = (false, false)
    }),
    ("other bytes", |said| {
        said.signed = Some(random::<69>().to_vec())
    }),
    ("nothing signed", |said| said.signed = Some(Vec::new())),
    ("nobody's handle", |said| {
        said.user_handle = Some(vec![1; 16])
    }),
    ("an absurd handle", |said| {
        said.user_handle = Some(vec![1; 200])
    }),
    ("no handle", |said| said.user_handle = None),
    ("truncated", |said| said.missing = 1),
];

/// Registers with a lie, and expects a refusal in the field.
async fn is_refused_at_registration(susan: &Visitor, what: &str, lie: impl FnOnce(&mut Said)) {
    let options = susan.passkey_options("registration").await;
    let (_, credential) = Authenticator::create_lying(&options, |_, said| lie(said));
    let refused = susan.register_passkey(&credential).await;
    assert_eq!(
        field_codes(&refused.body),
        ["credential: incorrect"],
        "{what}: {}",
        refused.body
    );
    assert_eq!(refused.status, 422, "{what}");
}

/// Signs with a lie, and expects a refusal.
async fn is_refused_at_login(
    app: &App,
    device: &mut Authenticator,
    what: &str,
    lie: impl FnOnce(&mut Said),
) {
    let visitor = app.visitor();
    let options = visitor.passkey_options("login").await;
    let refused = visitor
        .send_passkey(&device.sign_lying(&options, lie))
        .await;
    let code = refused.body["code"].as_str();
    assert_eq!(
        (refused.status.as_u16(), code),
        (401, Some("invalid_passkey")),
        "{what}"
    );
    assert!(!visitor.is_logged_in().await, "{what}");
}

/// H2.
#[tokio::test]
async fn only_a_page_of_ours_may_use_passkeys() {
    let app = App::with(&[
        "--public-url=https://login.app.example",
        "--trusted-origins=https://app.example:8443",
        "--passkey-rp-id=app.example",
    ])
    .await;
    let sibling = app.sibling(&[]).await;
    let susan = sibling.logged_in("susan").await;
    let mut device = susan.add_passkey().await;
    app.sql("update passkeys set rp_id = 'app.example'").await;
    for origin in ["https://login.app.example", "https://app.example:8443"] {
        let visitor = app.visitor();
        let options = visitor.passkey_options("login").await;
        assert_eq!(options["rpId"], "app.example");
        let signed = device.sign_lying(&options, |said| said.origin = origin.to_owned());
        visitor.send_passkey(&signed).await.expect(200);
    }
    for origin in [
        "https://evil-app.example",
        "https://app.example",
        "https://app.example:443",
        "https://app.example:8444",
        "https://www.app.example:8443",
        "https://example",
        "https://login.app.example.evil.example",
        "http://login.app.example",
        "https://LOGIN.app.example",
        "https://login.app.example/",
        "https://login.app.example:443",
        "https://login.app.example@evil.example",
        "https://login.app.example.",
        "android:apk-key-hash:AAAA",
        "null",
        "",
    ] {
        let lie = |said: &mut Said| said.origin = origin.to_owned();
        is_refused_at_login(&app, &mut device, origin, lie).await;
    }
    let frame = |said: &mut Said| {
        said.origin = "https://login.app.example".to_owned();
        said.cross_origin = Some(true);
    };
    is_refused_at_login(&app, &mut device, "crossOrigin", frame).await;
    // The honest one still works, so each refusal was about its lie.
    let visitor = app.visitor();
    let options = visitor.passkey_options("login").await;
    let silent = device.sign_lying(&options, |said| {
        said.origin = "https://login.app.example".to_owned();
        said.cross_origin = None;
    });
    visitor.send_passkey(&silent).await.expect(200);
}

/// H2, H3, H5.
#[tokio::test]
async fn a_registration_with_a_lie_adds_nothing() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    for (what, lie) in AT_REGISTRATION {
        is_refused_at_registration(&susan, what, lie).await;
    }
    for missing in [10, 60, 100, 160, 190] {
        let lie = |said: &mut Said| said.missing = missing;
        is_refused_at_registration(&susan, "truncated", lie).await;
    }
    let options = susan.passkey_options("registration").await;
    let (_, credential) = Authenticator::create_lying(&options, |_, said| {
        said.challenge = said.challenge.chars().rev().collect();
    });
    susan
        .register_passkey(&credential)
        .await
        .refused(410, "challenge_expired");
    assert_eq!(app.count("select count(*) from passkeys").await, 0);
    susan.add_passkey().await;
}

/// H3, H5.
#[tokio::test]
async fn a_signature_with_a_lie_logs_nobody_in() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let mut device = susan.add_passkey().await;
    for (what, lie) in AT_LOGIN {
        is_refused_at_login(&app, &mut device, what, lie).await;
    }
    let events = susan.get("/api/me/events").await.expect(200).body;
    let events = events["events"].as_array().unwrap().clone();
    let reasons = events.iter().map(|event| &event["details"]["reason"]);
    let reasons: Vec<_> = reasons.filter_map(Value::as_str).collect();
    for reason in [
        "type",
        "rp_id",
        "user_not_verified",
        "signature",
        "user_handle",
        "malformed",
    ] {
        assert!(reasons.contains(&reason), "{reason}: {reasons:?}");
    }
}

/// H5.
#[tokio::test]
async fn nobody_gets_in_as_somebody_else() {
    let app = App::start().await;
    let mut device = app.logged_in("susan").await.add_passkey().await;
    let other = app.logged_in("miguel").await.add_passkey().await;
    let handle = |said: &mut Said| said.user_handle = Some(other.user_handle.clone());
    is_refused_at_login(&app, &mut device, "somebody's handle", handle).await;
    let key = |said: &mut Said| said.credential_id.clone_from(&other.credential_id);
    is_refused_at_login(&app, &mut device, "somebody's key", key).await;
    let both = |said: &mut Said| {
        said.credential_id.clone_from(&other.credential_id);
        said.user_handle = Some(other.user_handle.clone());
    };
    is_refused_at_login(&app, &mut device, "somebody else", both).await;

    let visitor = app.visitor();
    let options = visitor.passkey_options("login").await;
    let unknown = device.sign_lying(&options, |said| said.credential_id = vec![7; 32]);
    visitor
        .send_passkey(&unknown)
        .await
        .refused(401, "unknown_passkey");
    app.visitor()
        .log_in_with_passkey(&mut device)
        .await
        .expect(200);
}

#[tokio::test]
async fn every_changed_character_of_a_signature_is_noticed() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let mut device = susan.add_passkey().await;
    for part in ["authenticatorData", "signature", "clientDataJSON"] {
        let visitor = app.visitor();
        for place in [0, 10, 40] {
            let options = visitor.passkey_options("login").await;
            let mut credential = device.sign(&options);
            let text = credential["response"][part].as_str().unwrap().to_owned();
            let mut text = text.into_bytes();
            text[place] = if text[place] == b'A' { b'B' } else { b'A' };
            credential["response"][part] = json!(String::from_utf8(text).unwrap());
            let refused = visitor.send_passkey(&credential).await;
            assert!(
                [401, 410].contains(&refused.status.as_u16()),
                "{part} {place}: {}",
                refused.body
            );
        }
    }
}

/// Credentials of which a part is something else, and what is none at all.
fn nonsense(honest: &Value) -> Vec<Value> {
    let mut sent = vec![
        json!("x"),
        json!(7),
        json!([]),
        json!({}),
        json!({"response": {}}),
    ];
    for field in ["id", "rawId", "type", "response"] {
        for nonsense in [Value::Null, json!(1), json!("!"), json!({})] {
            let mut credential = honest.clone();
            credential[field] = nonsense;
            sent.push(credential);
        }
    }
    for field in [
        "clientDataJSON",
        "authenticatorData",
        "signature",
        "userHandle",
    ] {
        for nonsense in [json!(1), json!("!"), json!(""), json!("e30"), json!({})] {
            let mut credential = honest.clone();
            credential["response"][field] = nonsense;
            sent.push(credential);
        }
    }
    sent
}

/// H5.
#[tokio::test]
async fn what_is_no_signature_is_refused() {
    let app = App::start().await;
    let visitor = app.visitor();
    let missing = visitor
        .post("/api/passkeys/authentication/verify", json!({}))
        .await;
    assert_eq!(
        field_codes(&missing.refused(422, "validation_failed").body),
        ["credential: required"]
    );
    let susan = app.logged_in("susan").await;
    let mut device = susan.add_passkey().await;
    let count = nonsense(&json!({})).len();
    for n in 0..count {
        // Each with a challenge of its own: without one, it would be refused whatever it says.
        let honest = device.sign(&visitor.passkey_options("login").await);
        let credential = nonsense(&honest).swap_remove(n);
        let refused = visitor.send_passkey(&credential).await;
        let code = refused.body["code"].as_str().unwrap();
        let expected = [
            (401, "invalid_passkey"),
            (401, "unknown_passkey"),
            (410, "challenge_expired"),
        ];
        let found = (refused.status.as_u16(), code);
        assert!(expected.contains(&found), "{credential}: {}", refused.body);
        assert!(!visitor.is_logged_in().await, "{credential}");
    }
    app.visitor()
        .log_in_with_passkey(&mut device)
        .await
        .expect(200);
}

#[tokio::test]
async fn ten_refusals_a_minute_and_sixty_options_are_enough_for_one_address() {
    let app = App::with(&["--rate-limits=on"]).await;
    let susan = app.logged_in("susan").await;
    let mut device = susan.add_passkey().await;
    let visitor = app.visitor();
    for _ in 0..12 {
        visitor.log_in_with_passkey(&mut device).await.expect(200);
        visitor.log_out().await.expect(204);
    }
    // Tries come back while this runs.
    let first_refusal = async |path: &str| {
        for n in 0..500 {
            let reply = visitor.post(path, json!({"credential": {}})).await;
            if reply.status == 429 {
                return (n, reply.header("ratelimit-policy").to_owned());
            }
        }
        panic!("no limit");
    };
    let (tries, policy) = first_refusal("/api/passkeys/authentication/verify").await;
    assert!(policy.starts_with("\"passkey\";q=10;w=60"), "{policy}");
    assert!(tries >= 10, "{tries}");
    let (tries, policy) = first_refusal("/api/passkeys/authentication/options").await;
    assert!(
        policy.starts_with("\"passkey-options\";q=60;w=60"),
        "{policy}"
    );
    assert!(tries >= 60 - 13, "{tries}");
}
