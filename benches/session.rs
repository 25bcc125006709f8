//! The pieces of recognising somebody, one by one. `cargo bench --bench session`

use std::hint::black_box;

use actix_web::http::header::{COOKIE, HeaderMap};
use argon2::Argon2;
use criterion::{Criterion, criterion_group, criterion_main};
use latchkey::domain::next::safe_next;
use latchkey::domain::password::PlainPassword;
use latchkey::domain::secret::KeyHash;
use latchkey::domain::strength::Strength;
use latchkey::http::edge::request_id::RequestId;
use latchkey::http::session::cookies::Cookies;
use latchkey::http::wire::timestamp::Timestamp;

fn session_path(c: &mut Criterion) {
    let key = "0123456789abcdef".repeat(4);
    let hash = KeyHash::of(&key);
    let hex = hex::encode(hash.as_bytes());
    c.bench_function("hash of a key", |b| b.iter(|| KeyHash::of(black_box(&key))));
    c.bench_function("hash from hexadecimal", |b| {
        b.iter(|| KeyHash::from_hex(black_box(&hex)))
    });
    let cookies = Cookies::new("0123456789abcdefghijklmnopqrstuvwxyz", true);
    c.bench_function("signing a cookie", |b| {
        b.iter(|| cookies.signed(black_box(&key)))
    });
    let mut headers = HeaderMap::new();
    if let Ok(value) = cookies.signed(&key).parse() {
        headers.insert(COOKIE, value);
    }
    c.bench_function("reading a cookie", |b| {
        b.iter(|| cookies.session_key(black_box(&headers)))
    });
    c.bench_function("a request id", |b| {
        b.iter(|| RequestId::fresh().header_value())
    });
    let at = chrono::DateTime::UNIX_EPOCH;
    c.bench_function("a date, ours", |b| {
        b.iter(|| serde_json::to_string(&Timestamp(black_box(at))))
    });
    c.bench_function("a date, chrono's", |b| {
        b.iter(|| serde_json::to_string(&black_box(at)))
    });
    if let Ok(site) = url::Url::parse("http://localhost:8080") {
        c.bench_function("a safe next", |b| {
            b.iter(|| safe_next(&site, black_box("/profile?tab=1")))
        });
    }
}

fn passwords(c: &mut Criterion) {
    let strength = Strength {
        min_length: 8,
        min_score: 2,
    };
    for (what, text) in [
        ("judging a usual password", "green-Lamp-42-river"),
        (
            "judging the worst password",
            "o009655${{(1$[{6(q404%({ecf6[a99/{jhfkrf[9y%y7c[d%pw{7(461{//f(4",
        ),
    ] {
        if let Ok(password) = PlainPassword::parse(text) {
            c.bench_function(what, |b| b.iter(|| strength.judge(password.clone(), &[])));
        }
    }
    c.bench_function("hashing a password", |b| {
        b.iter(|| {
            let mut output = [0; 32];
            Argon2::default().hash_password_into(b"green-Lamp-42-river", &[7; 16], &mut output)
        })
    });
}

criterion_group!(benches, session_path, passwords);
criterion_main!(benches);
