//! What people send in place of codes.

use serde_json::{Value, json};

use crate::second_factor::{halfway, protected, show};
use crate::support::{App, PASSWORD, field_codes};

/// Forms without a code that could be right, and what is wrong with them.
fn no_codes(recovery: &str) -> Vec<(Value, Vec<&'static str>)> {
    let digits = "\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}";
    vec![
        (json!({}), vec!["code: required"]),
        (json!({"code": null}), vec!["code: required"]),
        (json!({"code": ""}), vec!["code: invalid"]),
        (json!({"code": 123_456}), vec!["code: invalid"]),
        (json!({"code": ["123456"]}), vec!["code: invalid"]),
        (json!({"code": {"$gt": ""}}), vec!["code: invalid"]),
        (json!({"code": "12345\u{0}"}), vec!["code: invalid"]),
        (json!({"code": "\u{0}"}), vec!["code: invalid"]),
        (json!({"code": "1234567"}), vec!["code: invalid"]),
        (json!({"code": digits}), vec!["code: invalid"]),
        (
            json!({"code": "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}"}),
            vec!["code: invalid"],
        ),
        (json!({"code": "-12345"}), vec!["code: invalid"]),
        (json!({"code": " ".repeat(9000)}), vec!["code: invalid"]),
        (json!({"recovery_code": 1}), vec!["recovery_code: invalid"]),
        (
            json!({"recovery_code": "\u{0}"}),
            vec!["recovery_code: invalid"],
        ),
        (
            json!({"recovery_code": format!("{recovery}0")}),
            vec!["recovery_code: invalid"],
        ),
        (
            json!({"recovery_code": "\u{1d7d8}".repeat(16)}),
            vec!["recovery_code: invalid"],
        ),
        (
            json!({"code": "123456", "recovery_code": recovery}),
            vec!["recovery_code: invalid"],
        ),
        (
            json!({"code": "x", "recovery_code": "x"}),
            vec!["code: invalid", "recovery_code: invalid"],
        ),
        (
            json!({"code": "123456", "trust_device": "yes"}),
            vec!["trust_device: invalid"],
        ),
        (
            json!({"code": "x", "trust_device": 1}),
            vec!["code: invalid", "trust_device: invalid"],
        ),
    ]
}

#[tokio::test]
async fn what_is_no_code_is_an_error_of_its_field_and_costs_no_try() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = halfway(&app, "susan").await;
    for (form, errors) in no_codes(&ours.recovery_codes[0]) {
        let refused = browser.post("/api/login/second-factor", form.clone()).await;
        let refused = refused.refused(422, "validation_failed");
        assert_eq!(field_codes(&refused.body), errors, "{form}");
    }
    let step = browser.get("/api/login/step").await.expect(200).body;
    assert_eq!(step["tries_left"], 5);
    let code = ours.unused_code(&app).await;
    let spaced = format!(" {} {}\n", &code[..3], &code[3..]);
    show(&browser, &spaced).await.expect(200);
}

#[tokio::test]
async fn bodies_of_every_kind_never_break_the_second_step() {
    let app = App::start().await;
    let (susan, _ours) = protected(&app, "susan").await;
    let browser = halfway(&app, "susan").await;
    let huge = format!("{{\"code\": \"{}\"}}", "1".repeat(1 << 20));
    let deep = format!("{}{}", "[".repeat(8000), "]".repeat(8000));
    for (body, status) in [
        (huge.as_bytes(), 413),
        (deep.as_bytes(), 400),
        (b"", 422),
        (b"null", 400),
        (b"[]", 400),
        (b"{\"code\": \"12", 400),
        (b"{\"code\": \"\xff\xfe\"}", 400),
        (b"{\"code\": \"123456\", \"code\": \"123457\"}", 400),
        (b"{\"code\": \"\\ud800\"}", 400),
    ] {
        for path in [
            "/api/login/second-factor",
            "/api/totp/confirm",
            "/api/reauthenticate",
        ] {
            let asker = if path.contains("login") {
                &browser
            } else {
                &susan
            };
            let reply = asker.post_raw(path, body.to_vec()).await;
            let text = String::from_utf8_lossy(&body[..body.len().min(40)]);
            assert_eq!(reply.status.as_u16(), status, "{path} {text}");
        }
    }
    let both =
        json!({"password": PASSWORD, "code": "123456", "recovery_code": "7kq2-m0ra-x5vd-93fe"});
    let both = susan.post("/api/reauthenticate", both).await;
    assert_eq!(
        field_codes(&both.expect(422).body),
        ["recovery_code: invalid"]
    );
    assert!(!browser.is_logged_in().await && susan.is_logged_in().await);
}
