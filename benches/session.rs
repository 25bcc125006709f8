//! The pieces of recognising somebody, one by one. `cargo bench --bench session`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use latchkey::auth::key::KeyHash;
use latchkey::auth::redirect::safe_next;
use latchkey::http::cookies::Cookies;
use latchkey::http::timestamp::Timestamp;

fn session_path(c: &mut Criterion) {
    let key = "0123456789abcdef".repeat(4);
    let hash = KeyHash::of(&key);
    let hex = hash.to_hex();
    c.bench_function("hash of a key", |b| b.iter(|| KeyHash::of(black_box(&key))));
    c.bench_function("hash from hexadecimal", |b| {
        b.iter(|| KeyHash::from_hex(black_box(&hex)))
    });
    let cookies = Cookies::new("0123456789abcdefghijklmnopqrstuvwxyz", true);
    c.bench_function("signing a cookie", |b| {
        b.iter(|| cookies.signed(black_box(&key)))
    });
    let at = chrono::DateTime::UNIX_EPOCH;
    c.bench_function("a date, ours", |b| {
        b.iter(|| serde_json::to_string(&Timestamp(black_box(at))))
    });
    c.bench_function("a date, chrono's", |b| {
        b.iter(|| serde_json::to_string(&black_box(at)))
    });
    let site = url::Url::parse("http://localhost:8080");
    if let Ok(site) = site {
        c.bench_function("a safe next", |b| {
            b.iter(|| safe_next(&site, black_box("/profile?tab=1")))
        });
    }
}

criterion_group!(benches, session_path);
criterion_main!(benches);
