//! Any input gets a clear problem, stores nothing, and never causes a 5xx.

use std::io::Write;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, PASSWORD, Reply, Visitor, field_codes};

async fn register(visitor: &Visitor, form: Value) -> Reply {
    visitor.post("/api/register", form).await
}

#[tokio::test]
async fn missing_null_and_mistyped_fields_are_reported() {
    let app = App::start().await;
    let visitor = app.visitor();
    let required = [
        "email: required",
        "password: required",
        "username: required",
    ];
    for form in [
        json!({}),
        json!({"username": null, "email": null, "password": null}),
        json!({"username": "", "email": " ", "password": ""}),
    ] {
        let reply = register(&visitor, form)
            .await
            .refused(422, "validation_failed");
        assert_eq!(field_codes(&reply.body), required);
    }
    for wrong in [
        json!(1),
        json!(1.5e300),
        json!(true),
        json!([]),
        json!({"a": {}}),
        json!(["x"]),
    ] {
        let form =
            json!({"username": wrong, "email": wrong, "password": wrong, "password2": wrong});
        let reply = register(&visitor, form)
            .await
            .refused(422, "validation_failed");
        let expected = [
            "email: invalid",
            "password: invalid",
            "password2: invalid",
            "username: invalid",
        ];
        assert_eq!(field_codes(&reply.body), expected);
    }
    assert_eq!(app.count("select count(*) from users").await, 0);
}

#[tokio::test]
async fn mistyped_login_fields_are_reported() {
    let app = App::start().await;
    let visitor = app.visitor();
    let login = json!({"username": 7, "password": [], "remember_me": "yes"});
    let reply = visitor
        .post("/api/login", login)
        .await
        .refused(422, "validation_failed");
    assert_eq!(
        field_codes(&reply.body),
        [
            "password: invalid",
            "remember_me: invalid",
            "username: invalid"
        ]
    );
}

#[tokio::test]
async fn anything_but_one_json_object_is_malformed() {
    let app = App::start().await;
    let visitor = app.visitor();
    let deep = "[".repeat(8000);
    let nested = format!("{{\"username\":{}", "{\"a\":".repeat(2000));
    let bodies: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"nonsense".to_vec(),
        b"[]".to_vec(),
        b"\"green-Lamp-42-river\"".to_vec(),
        b"1".to_vec(),
        b"null".to_vec(),
        b"{\"username\":\"a\"}{}".to_vec(),
        b"{\"username\":\"a\",}".to_vec(),
        b"\xff\xfe{}".to_vec(),
        b"{\"username\":\"\xc3\x28\"}".to_vec(),
        b"{\"username\":\"\\ud800\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"username\":\"abc\",\"username\":\"abd\"}".to_vec(),
        b"{\"username\":\"a\0b\"}".to_vec(),
        deep.into_bytes(),
        nested.into_bytes(),
    ];
    for path in ["/api/register", "/api/login"] {
        for body in &bodies {
            let reply = visitor
                .post_raw(path, body.clone())
                .await
                .refused(400, "malformed_json");
            assert!(
                !reply.body.to_string().contains("green-Lamp"),
                "{}",
                reply.body
            );
        }
    }
    for array in ["[]", " [\"susan\", \"green-Lamp-42-river\", false, null]"] {
        for path in ["/api/login", "/api/logout"] {
            visitor
                .post_raw(path, array)
                .await
                .refused(400, "malformed_json");
        }
    }
    visitor
        .post_raw("/api/register", "")
        .await
        .refused(422, "validation_failed");
}

#[tokio::test]
async fn invisible_and_control_characters_are_refused_by_field() {
    let app = App::start().await;
    let visitor = app.visitor();
    for c in [
        '\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{85}', '\u{200b}', '\u{200d}', '\u{202e}',
        '\u{2066}', '\u{feff}', '\u{ad}',
    ] {
        let form = json!({"username": format!("su{c}san"), "email": format!("su{c}san@example.com"), "password": PASSWORD});
        let reply = register(&visitor, form)
            .await
            .refused(422, "validation_failed");
        assert_eq!(
            field_codes(&reply.body),
            ["email: invalid", "username: invalid"],
            "{c:?}"
        );
        let login = json!({"username": format!("su{c}san"), "password": format!("{c}{PASSWORD}")});
        visitor
            .post("/api/login", login)
            .await
            .refused(401, "invalid_credentials");
    }
    let form = json!({"username": "susan", "email": "susan@example.com", "password": format!("{PASSWORD}\0")});
    let reply = register(&visitor, form)
        .await
        .refused(422, "validation_failed");
    assert_eq!(field_codes(&reply.body), ["password: invalid"]);
    assert_eq!(app.count("select count(*) from users").await, 0);
}

#[tokio::test]
async fn absurd_lengths_are_refused_by_field() {
    let app = App::start().await;
    let long = "a".repeat(5000);
    let form = json!({"username": long, "email": format!("{long}@example.com"), "password": long});
    let reply = register(&app.visitor(), form)
        .await
        .refused(422, "validation_failed");
    assert_eq!(
        field_codes(&reply.body),
        [
            "email: too_long",
            "password: too_long",
            "username: too_long"
        ]
    );
}

#[tokio::test]
async fn bodies_over_16_kib_are_refused_and_the_client_gets_the_response() {
    let app = App::start().await;
    let visitor = app.visitor();
    for size in [16 * 1024 + 1, 100 * 1024, 10 * 1024 * 1024] {
        let body = format!("{{\"username\":\"{}\"}}", "a".repeat(size - 15));
        visitor
            .post_raw("/api/register", body)
            .await
            .refused(413, "payload_too_large");
    }
    let full = format!("{{\"username\":\"{}\"}}", "a".repeat(16 * 1024 - 15));
    visitor
        .post_raw("/api/register", full)
        .await
        .refused(422, "validation_failed");
}

#[tokio::test]
async fn gzip_is_decompressed_within_the_same_limit() {
    let app = App::start().await;
    let visitor = app.visitor();
    let gzip = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let send = |body: Vec<u8>, encoding: &'static str| {
        let request = visitor
            .request(Method::POST, "/api/register")
            .header("content-type", "application/json");
        crate::support::send(request.header("content-encoding", encoding).body(body))
    };
    let form = json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD})
        .to_string();
    send(gzip(form.as_bytes()), "gzip").await.expect(201);
    let bomb = gzip(&vec![b' '; 14 * 1024 * 1024]);
    assert!(bomb.len() < 16 * 1024);
    send(bomb, "gzip").await.refused(413, "payload_too_large");
    send(form.clone().into_bytes(), "gzip")
        .await
        .refused(400, "bad_request");
    send(form.into_bytes(), "br")
        .await
        .refused(415, "unsupported_media_type");
}

#[tokio::test]
async fn only_json_is_accepted() {
    let app = App::start().await;
    let visitor = app.visitor();
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonx",
        "",
    ] {
        let request = visitor
            .request(Method::POST, "/api/login")
            .header("content-type", media_type)
            .body("{}");
        crate::support::send(request)
            .await
            .refused(415, "unsupported_media_type");
    }
    let request = visitor
        .request(Method::POST, "/api/login")
        .header("content-type", "Application/JSON; charset=utf-8");
    crate::support::send(request.body("{}"))
        .await
        .refused(422, "validation_failed");
}

#[tokio::test]
async fn unknown_paths_and_methods_get_problem_details() {
    let app = App::start().await;
    let visitor = app.visitor();
    for path in [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/me/",
        "/nothing/at/all",
        "/api/%ff%00",
        "/api/../me",
        "//api/me",
    ] {
        visitor.get(path).await.refused(404, "not_found");
    }
    let reply = crate::support::send(visitor.request(Method::PUT, "/api/me"))
        .await
        .refused(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), "GET, DELETE, HEAD, OPTIONS");
    let reply = visitor
        .delete("/api/login")
        .await
        .refused(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), "POST, OPTIONS");
    let reply = crate::support::send(visitor.request(Method::PATCH, "/api/sessions/some-id")).await;
    assert_eq!(
        reply.refused(405, "method_not_allowed").header("allow"),
        "DELETE, OPTIONS"
    );
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = App::start().await;
    let reply = app
        .visitor()
        .request(Method::HEAD, "/health/live")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.headers()["content-length"], "15");
}

/// The server's response to these bytes if nothing follows, and after how many seconds.
async fn say(app: &App, bytes: &str) -> (String, f32) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let (began, mut answer, mut buffer) = (std::time::Instant::now(), String::new(), [0; 4096]);
    while !answer.ends_with("\r\n\r\n") && !answer.ends_with('}') {
        let received = stream.read(&mut buffer).await.unwrap();
        if received == 0 {
            break;
        }
        answer.push_str(std::str::from_utf8(&buffer[..received]).unwrap());
    }
    (answer, began.elapsed().as_secs_f32())
}

#[tokio::test]
async fn slow_headers_time_out_at_5_seconds_and_slow_bodies_at_15() {
    let app = App::start().await;
    let head = "POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let (headers, body) = tokio::join!(
        say(&app, "GET /api/me HTTP/1.1\r\nHost: x\r\nX: "),
        say(&app, head)
    );
    assert!(
        headers.0.starts_with("HTTP/1.1 408") && (4.0..10.0).contains(&headers.1),
        "{headers:?}"
    );
    assert!(
        body.0.contains("request_timeout") && (14.0..20.0).contains(&body.1),
        "{body:?}"
    );
    app.visitor().get("/health/live").await.expect(200);
}
