//! Whatever is sent to the endpoints of account life: no failure, and always a problem.

use reqwest::Method;
use serde_json::json;

use crate::support::{App, send};

const PATHS: &[(&str, &[&str])] = &[
    ("/api/password/forgot", &["email"]),
    ("/api/password/reset", &["token", "password", "password2"]),
    (
        "/api/password/change",
        &["current_password", "new_password"],
    ),
    ("/api/email/verify", &["token", "password"]),
    ("/api/email/verify/resend", &["email"]),
    ("/api/email/change", &["email"]),
    ("/api/email/change/confirm", &["token"]),
    ("/api/account/not-me", &["token"]),
];

/// JSON values, some of which no parser of ours can hold.
fn values() -> Vec<String> {
    let deep = format!("{}{}", "[".repeat(7000), "]".repeat(7000));
    let long = format!("\"{}\"", "x".repeat(15_000));
    let address = format!("\"{}@example.com\"", "x".repeat(300));
    let mut values: Vec<String> = [
        "null",
        "true",
        "7",
        "-1e308",
        "[]",
        "{}",
        "[\"x\"]",
        "\"\"",
        "\" \"",
        r#""\u0000""#,
        r#""a\u0000b@example.com""#,
        r#""\ud800""#,
        r#""\ud800@example.com""#,
        r#""\u202ex@example.com""#,
        r#""a@b@c""#,
        r#""a\r\nBcc: b@example.com""#,
        "\"\u{fdfa}@example.com\"",
        "\"'; drop table users; --\"",
    ]
    .map(str::to_owned)
    .into();
    values.extend([deep, long, address]);
    values
}

#[tokio::test]
async fn nothing_that_is_sent_to_them_fails() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let token = "0".repeat(64);
    for (path, fields) in PATHS {
        for value in values() {
            for odd in *fields {
                let usual = |field: &&str| match *field {
                    "email" => "\"new@example.org\"".to_owned(),
                    "token" => format!("\"{token}\""),
                    _ => "\"seven-Boats-under-9-moons\"".to_owned(),
                };
                let pair = |field: &&str| {
                    let value = if field == odd {
                        value.clone()
                    } else {
                        usual(field)
                    };
                    format!("\"{field}\": {value}")
                };
                let pairs: Vec<_> = fields.iter().map(pair).collect();
                let body = format!("{{{}}}", pairs.join(", "));
                let status = susan.post_raw(path, body.clone()).await.status.as_u16();
                let start: String = body.chars().take(200).collect();
                assert!(status < 500, "{path} {start}: {status}");
            }
        }
        for body in [
            "",
            "[]",
            "\"x\"",
            "{",
            "\u{feff}{}",
            r#"{"email":"a@b.cd","email":"a@b.cd","token":"a","token":"b","new_password":"","new_password":""}"#,
        ] {
            let status = susan.post_raw(path, body).await.status.as_u16();
            assert!((202..500).contains(&status), "{path} {body}: {status}");
        }
        let form = susan
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("email=a%40example.com");
        send(form).await.refused(415, "unsupported_media_type");
    }
    assert_eq!(app.count("select count(*) from users").await, 1);
}

#[tokio::test]
async fn nothing_in_a_query_deletes_an_account_by_accident() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    for query in [
        "",
        "?",
        "?username",
        "?username=",
        "?username=%00",
        "?username=%ff",
        "?username=%",
        "?username=susan%20",
        "?username=s%C5%BFsan",
        "?Username=susan",
        "?username[]=susan",
        "?username=x&username=susan",
        "?user=susan",
    ] {
        let refused = susan.delete(&format!("/api/me{query}")).await;
        refused.refused(422, "validation_failed");
    }
    for form in [
        json!({"username": ""}),
        json!({"username": ["susan"]}),
        json!({"username": "susan\0"}),
    ] {
        let asked = susan
            .request(Method::DELETE, "/api/me?username=susan")
            .json(&form);
        send(asked).await.refused(422, "validation_failed");
    }
    assert!(susan.is_logged_in().await);
}
