//! Properties that hold for any bytes: cargo-fuzz searches for counterexamples, and `cargo test` tries some inputs.

use actix_web::cookie::Cookie;
use actix_web::http::header::{COOKIE, HeaderValue};
use actix_web::test::TestRequest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use latchkey::auth::hashing::foreign::{Foreign, judge};
use latchkey::auth::hashing::phc;
use latchkey::auth::passkeys::Passkey;
use latchkey::auth::passkeys::presented::{Assertion, Attestation};
use latchkey::auth::passkeys::relying_party::RelyingParty;
use latchkey::domain::client::Devices;
use latchkey::domain::email::Email;
use latchkey::domain::locale::Locale;
use latchkey::domain::next::safe_next;
use latchkey::domain::password::PlainPassword;
use latchkey::domain::recovery_code::RecoveryCode;
use latchkey::domain::rp_id::RpId;
use latchkey::domain::username::Username;
use latchkey::http::api::login::LoginRequest;
use latchkey::http::session::cookies::Cookies;
use latchkey::http::session::signed::{Signer, Verified};
use latchkey::http::wire::body;
use latchkey::mail::delivery::smtp_url::{Security, SmtpUrl};
use latchkey::store::users::User;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::Url;

pub type Property = fn(&[u8]);

pub const ALL: [(&str, Property); 11] = [
    ("next", next),
    ("username", username),
    ("email", email),
    ("cookie", cookie),
    ("login_body", login_body),
    ("stored_hash", stored_hash),
    ("foreign_hash", foreign_hash),
    ("locale", locale),
    ("smtp_url", smtp_url),
    ("passkey", passkey),
    ("recovery_code", recovery_code),
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is kept stays on the site, even if it is parsed again or decoded repeatedly.
pub fn next(bytes: &[u8]) {
    let site = Url::parse("https://login.example").expect("an address");
    if let Some(path) = safe_next(&site, &text(bytes)) {
        assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
        assert!(
            !path.contains(|c: char| c == '\\' || c.is_control()),
            "{path}"
        );
        let there = site.join(&path).expect("an address");
        assert_eq!(there.origin(), site.origin(), "{path}");
        let mut decoded = there.path().to_owned();
        loop {
            assert!(!decoded.contains(char::is_control), "{path}: {decoded}");
            assert!(
                !decoded.starts_with("//") && !decoded.starts_with("/\\"),
                "{path}: {decoded}"
            );
            let there = site.join(&decoded).expect("an address");
            assert_eq!(there.origin(), site.origin(), "{path}: {decoded}");
            let again = percent_decode_str(&decoded).decode_utf8_lossy();
            if *again == decoded {
                break;
            }
            decoded = again.into_owned();
        }
        assert_eq!(safe_next(&site, &path), Some(path));
    }
}

/// An accepted name has one canonical form, within the bounds.
pub fn username(bytes: &[u8]) {
    if let Ok(name) = Username::parse(&text(bytes)) {
        let canonical = name.canonical();
        let again = Username::parse(&canonical).map(|name| name.canonical());
        assert_eq!(again.ok(), Some(canonical));
        assert!((3..=32).contains(&name.as_str().len()) && !name.as_str().contains('@'));
    }
}

/// An accepted address is accepted again, unchanged.
pub fn email(bytes: &[u8]) {
    if let Ok(email) = Email::parse(&text(bytes)) {
        let again = Email::parse(email.as_str()).map(|email| email.as_str().to_owned());
        assert_eq!(again.ok().as_deref(), Some(email.as_str()));
        assert!(email.as_str().len() <= 254 && email.as_str().contains('@'));
        assert!(
            !email
                .as_str()
                .contains(|c: char| c.is_control() || c.is_whitespace())
        );
    }
}

/// A cookie that we did not sign never identifies a browser or a session; one that we signed is read back unchanged.
pub fn cookie(bytes: &[u8]) {
    let cookies = Cookies::new("only-for-fuzzing-0123456789abcdef", false);
    for name in ["", "latchkey_device=", "latchkey_session="] {
        let Ok(value) = HeaderValue::from_bytes(&[name.as_bytes(), bytes].concat()) else {
            return;
        };
        let request = TestRequest::default()
            .insert_header((COOKIE, value))
            .to_http_request();
        assert_eq!(cookies.devices(request.headers()), Devices::default());
        assert_eq!(cookies.session_key(request.headers()), None);
    }
    let (before, after) = ([7; 64], [8; 64]);
    let signer = Signer::new(&before, &[]);
    let value = text(bytes);
    let signed = signer.sign(Cookie::new("", value.clone()));
    let signed = signed.encoded().to_string().split_off(1);
    let verified = |is_outdated| {
        let value = value.clone();
        Some(Verified { value, is_outdated })
    };
    assert_eq!(signer.verify(&signed), verified(false));
    assert_eq!(Signer::new(&after, &[]).verify(&signed), None);
    let changed_key = Signer::new(&after, &[[9; 64], before]);
    assert_eq!(changed_key.verify(&signed), verified(true));
    // Any changed character is detected, in the signature and in the value.
    let place = bytes.len() % signed.len();
    let mut changed = signed.into_bytes();
    changed[place] = if changed[place] == b'x' { b'y' } else { b'x' };
    let changed = String::from_utf8_lossy(&changed);
    assert_eq!(signer.verify(&changed), None);
}

/// A body is a login, or gets a 400 or a 422.
pub fn login_body(bytes: &[u8]) {
    if let Err(problem) = body::parse::<LoginRequest>(bytes) {
        let status = problem.code.status().as_u16();
        assert!(status == 400 || status == 422, "{status}");
    }
}

/// A stored hash that would be computed is within the bounds.
pub fn stored_hash(bytes: &[u8]) {
    if let Some((params, _, output)) = phc::decode(&text(bytes)) {
        assert!(params.m_cost() <= phc::MAX_MEMORY_KIB && params.t_cost() <= phc::MAX_PASSES);
        assert!(output.len() >= 16);
    }
}

/// A hash of another system that would be run is within the bounds, and one that costs little can be run.
pub fn foreign_hash(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(cost) = judge(&text) else { return };
    assert!(
        cost.foreign_kib.is_none_or(|kib| kib <= 256 * 1024),
        "{text}"
    );
    let Ok(foreign) = Foreign::parse(&text) else {
        return;
    };
    assert!(foreign.micros() <= 300_000, "{text}");
    if foreign.micros() < 200 {
        let password = PlainPassword::parse("green-Lamp-42-river").expect("a password");
        foreign.matches(&password);
    }
}

/// What a header yields is a tag that fits into the database and into a file name.
pub fn locale(bytes: &[u8]) {
    let text = text(bytes);
    for found in [Locale::of_header(&text), Locale::parse(&text).ok()] {
        let Some(found) = found else { continue };
        let tag = found.as_str();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        assert!(tag.len() <= 35 && tag.chars().all(is_plain), "{tag}");
        assert_eq!(Locale::parse(tag), Ok(found.clone()));
        assert_eq!(Locale::of_header(tag), Some(found));
    }
}

/// A password travels encrypted or not at all, and no error repeats it.
pub fn smtp_url(bytes: &[u8]) {
    let text = text(bytes);
    match SmtpUrl::parse(&text) {
        Ok(url) => {
            assert!(!url.host.is_empty(), "{text}");
            let encrypted = matches!(url.security, Security::Implicit | Security::Required);
            let near = url.host.parse::<std::net::IpAddr>();
            let near = near.map_or(url.host.contains("localhost"), |ip| ip.is_loopback());
            assert!(url.login.is_none() || encrypted || near, "{text}");
        }
        Err(why) => {
            let parsed = Url::parse(&text).ok();
            let password = parsed.as_ref().and_then(Url::password).unwrap_or_default();
            assert!(password.len() < 12 || !why.contains(password), "{why}");
        }
    }
}

/// What is read as a code is sixteen symbols of the alphabet, and shown in the one form that is read back.
pub fn recovery_code(bytes: &[u8]) {
    let text = text(bytes);
    let mut symbols = text.to_ascii_lowercase().replace(['i', 'l'], "1");
    symbols = symbols.replace('o', "0");
    symbols.retain(|c| c != '-' && !c.is_whitespace());
    let is_symbol = |c: char| c.is_ascii_alphanumeric() && c != 'u';
    let is_code = symbols.len() == 16 && symbols.chars().all(is_symbol);
    let code = RecoveryCode::parse(&text);
    assert_eq!(code.is_some(), is_code, "{text}");
    let Some(code) = code else { return };
    let shown = code.to_string();
    assert_eq!(shown.replace('-', ""), symbols, "{text}");
    assert_eq!(shown.len(), 19, "{text}");
    let again = RecoveryCode::parse(&shown).expect("what was shown");
    assert_eq!(again.as_bytes(), code.as_bytes(), "{text}");
}

/// Nobody gets in with a signature that no device made, whatever it looks like; and a credential that would be stored was
/// made by a device that verified its user.
pub fn passkey(bytes: &[u8]) {
    let site = Url::parse("http://localhost:8080").expect("an address");
    let domain = RpId::parse("localhost").expect("a domain");
    let party = RelyingParty::new(domain, "Fuzz", &[site]).expect("a site");
    let sent: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let begun = party.begin_registration(&nobody(), &[]).expect("options");
    let data = client_data("webauthn.create", &begun.challenge);
    let response = json!({"clientDataJSON": data, "attestationObject": encode(bytes)});
    for sent in [sent.clone(), credential(bytes, response)] {
        let Some(made) = Attestation::parse(sent) else {
            continue;
        };
        if let Ok(credential) = party.finish_registration(&made, begun.state.clone()) {
            assert!(credential.user_verified);
            assert!((1..=1023).contains(&credential.cred_id.len()));
            made.aaguid("localhost");
        }
    }
    let begun = party.begin_authentication(&[]).expect("options");
    let data = client_data("webauthn.get", &begun.challenge);
    let (known, signature) = bytes.split_at(bytes.len().min(37));
    let response = json!({"clientDataJSON": data, "authenticatorData": encode(known),
                          "signature": encode(signature), "userHandle": null});
    for sent in [sent, credential(&ID, response)] {
        let signed = Assertion::parse(sent).map(|assertion| {
            let state = begun.state.clone();
            party.finish_authentication(&assertion, state, &stored())
        });
        assert!(!matches!(signed, Some(Ok(_))), "a forgery");
    }
}

const ID: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn client_data(kind: &str, challenge: &[u8]) -> String {
    let said =
        json!({"type": kind, "challenge": encode(challenge), "origin": "http://localhost:8080"});
    encode(said.to_string().as_bytes())
}

fn credential(id: &[u8], response: Value) -> Value {
    json!({"id": encode(id), "rawId": encode(id), "type": "public-key", "response": response})
}

fn nobody() -> User {
    User {
        id: Default::default(),
        username: "nobody".to_owned(),
        email: None,
        email_verified_at: None,
        created_at: Default::default(),
        last_login_at: None,
        disabled_at: None,
        second_factor_required: false,
        roles: Vec::new(),
    }
}

fn stored() -> Passkey {
    let key = json!({"curve": "SECP256R1",
        "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"});
    Passkey {
        id: Default::default(),
        user_id: Default::default(),
        credential_id: ID.to_vec(),
        public_key: json!({"type_": "ES256", "key": {"EC_EC2": key}}),
        sign_count: 0,
        aaguid: None,
        transports: Vec::new(),
        backup_eligible: false,
        backed_up: false,
        rp_id: "localhost".to_owned(),
        name: "A key".to_owned(),
        created_at: Default::default(),
        last_used_at: None,
    }
}
