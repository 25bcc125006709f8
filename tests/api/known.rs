//! Known browsers and known networks: strangers cannot use up their attempts, and their own are limited too.

use std::collections::BTreeSet;
use std::time::Instant;

use latchkey::domain::client::Devices;
use latchkey::domain::secret::KeyHash;
use latchkey::http::session::cookies::Cookies;
use reqwest::Method;
use serde_json::json;

use crate::limits::{ON, assert_evaluated, codes, regained, try_login};
use crate::operator::latchkey;
use crate::support::{App, PASSWORD, Reply, SECRET_KEY, at_once, send};

const WRONG: &str = "wrong-Password-9";

/// Logs in with this cookie and no other.
async fn try_with(app: &App, cookie: &str, from: &str, name: &str, password: &str) -> Reply {
    let visitor = app.visitor();
    let request = visitor.request(Method::POST, "/api/login");
    let request = request
        .header("cookie", cookie)
        .header("x-forwarded-for", from);
    send(request.json(&json!({"username": name, "password": password}))).await
}

fn device_cookie(reply: &Reply) -> String {
    let cookie = reply.cookie("latchkey_device").expect("a device cookie");
    cookie.split(';').next().unwrap().to_owned()
}

/// Logs in in a browser without cookies, from a separate network; returns the device cookie.
async fn new_device(app: &App, number: u32, name: &str) -> String {
    let from = format!("203.0.{number}.1");
    let reply = try_login(&app.visitor(), &from, name, PASSWORD).await;
    device_cookie(&reply.expect(200))
}

/// Strangers use up their attempts at this account.
async fn besiege(app: &App, name: &str) {
    for n in 0..6 {
        try_login(&app.visitor(), &format!("198.51.100.{n}"), name, WRONG).await;
    }
    try_login(&app.visitor(), "198.51.100.99", name, PASSWORD)
        .await
        .refused(429, "rate_limited");
}

#[tokio::test]
async fn a_device_is_forgotten_when_the_password_changes_or_the_user_is_disabled() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let ends = [
        "update users set password_hash = replace(password_hash, 'argon2id', 'argon2id')",
        "update users set password_hash = password_hash || ' '; update users set password_hash = trim(password_hash)",
        "update users set disabled_at = now(); update users set disabled_at = null",
    ];
    for (number, sql) in (0..).zip(ends) {
        let cookie = new_device(&app, number, "susan").await;
        besiege(&app, "susan").await;
        try_with(&app, &cookie, "192.0.2.1", "susan", PASSWORD)
            .await
            .expect(200);
        app.sql(sql).await;
        let reply = try_with(&app, &cookie, "192.0.2.1", "susan", PASSWORD).await;
        assert_eq!(reply.status, if number == 0 { 200 } else { 429 }, "{sql}");
        app.sql("delete from rate_limits; delete from known_networks")
            .await;
    }
}

#[tokio::test]
async fn only_the_browser_that_changes_the_password_stays_known() {
    let app = App::with(ON).await;
    let susan = app.logged_in("susan").await;
    let other = new_device(&app, 1, "susan").await;
    let form = json!({"current_password": PASSWORD, "new_password": "seven-Boats-under-9-moons"});
    let changed = susan.post("/api/password/change", form).await.expect(200);
    besiege(&app, "susan").await;
    let login = async |cookie: &str| {
        try_with(
            &app,
            cookie,
            "192.0.2.1",
            "susan",
            "seven-Boats-under-9-moons",
        )
        .await
    };
    login(&other).await.refused(429, "rate_limited");
    login(&device_cookie(&changed)).await.expect(200);
}

#[tokio::test]
async fn a_device_is_known_for_400_days() {
    let app = App::with(ON).await;
    let susan = app.logged_in("susan").await;
    let id = susan.get("/api/me").await.body["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    besiege(&app, "susan").await;
    for (days, status) in [(401, 429), (399, 200)] {
        let now = "select extract(epoch from now())::bigint";
        let since = app.count(now).await - days * 86_400;
        let since = chrono::DateTime::from_timestamp(since, 0).unwrap();
        let devices = Devices::default().with(id, 0, since).unwrap();
        let cookie = Cookies::new(SECRET_KEY, false).signed_devices(&devices);
        let cookie = cookie.stripped().encoded().to_string();
        let reply = try_with(&app, &cookie, "192.0.2.1", "susan", PASSWORD).await;
        assert_eq!(reply.status, status, "{days} days");
    }
}

#[tokio::test]
async fn all_devices_of_an_account_together_get_20_failures_an_hour() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let mut evaluated = 0;
    for number in 0..30 {
        let cookie = new_device(&app, number, "susan").await;
        for _ in 0..5 {
            let reply = try_with(&app, &cookie, "192.0.2.1", "susan", WRONG).await;
            evaluated += u32::from(reply.status == 401);
        }
    }
    assert_eq!(evaluated, 20, "not 150");
    let unlocked = latchkey(&app, &["users", "unlock", "susan"], "");
    assert!(unlocked.status.success());
    let cookie = new_device(&app, 100, "susan").await;
    try_with(&app, &cookie, "192.0.2.1", "susan", WRONG)
        .await
        .expect(401);
}

#[tokio::test]
async fn failures_in_a_row_are_limited_on_known_devices_too() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let cookie = new_device(&app, 1, "susan").await;
    let mut evaluated = 0;
    for _ in 0..60 {
        let reply = try_with(&app, &cookie, "192.0.2.1", "susan", WRONG).await;
        evaluated += u32::from(reply.status == 401);
        app.sql("update rate_limits set full_at = now() where whole < interval '1 day'")
            .await;
    }
    assert_eq!(evaluated, 50);
}

#[tokio::test]
async fn one_known_browser_cannot_lock_out_the_others_for_long() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let library = new_device(&app, 1, "susan").await;
    let phone = new_device(&app, 2, "susan").await;
    let mut evaluated = 0;
    for _ in 0..80 {
        let reply = try_with(&app, &library, "192.0.2.1", "susan", WRONG).await;
        evaluated += u32::from(reply.status == 401);
        app.sql("update rate_limits set full_at = full_at - interval '3 minutes'")
            .await;
    }
    assert!((50..=53).contains(&evaluated), "in a row: {evaluated}");
    try_with(&app, &phone, "192.0.2.2", "susan", PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_browser_remembers_its_last_five_users() {
    let app = App::with(ON).await;
    let browser = app.visitor();
    let names = ["ann", "bob", "carl", "dora", "emil", "fred"];
    for (number, name) in names.iter().enumerate() {
        app.registered(name).await;
        try_login(&browser, &format!("203.0.{number}.1"), name, PASSWORD)
            .await
            .expect(200);
        browser.log_out().await.expect(204);
    }
    for name in names {
        besiege(&app, name).await;
        app.sql("delete from rate_limits where whole < interval '2 minutes'")
            .await;
    }
    // From the last user to the first, each login moves that user to the front and evicts nobody.
    for name in ["fred", "emil", "dora", "carl", "bob"] {
        try_login(&browser, "192.0.2.1", name, PASSWORD)
            .await
            .expect(200);
        browser.log_out().await.expect(204);
    }
    try_login(&browser, "192.0.2.1", "ann", PASSWORD)
        .await
        .refused(429, "rate_limited");
}

#[tokio::test]
async fn bogus_logins_from_its_address_do_not_block_a_known_browser_or_network() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let home = "203.0.113.5";
    let reply = try_login(&app.visitor(), home, "susan", PASSWORD).await;
    let cookie = device_cookie(&reply.expect(200));
    let bogus = async |from: &str| {
        for n in 0..41 {
            try_login(&app.visitor(), from, &format!("nobody{n}"), WRONG).await;
        }
    };
    bogus("192.0.2.1").await;
    bogus(home).await;
    // Good logins of new people use up the other bucket of the address.
    app.sql(
        "insert into users (username, email, password_hash) select 'user' || n, n || '@example.com', password_hash \
         from users, generate_series(1, 31) n",
    )
    .await;
    app.sql("update rate_limits set full_at = full_at - interval '10 seconds'")
        .await;
    let mut replies = Vec::new();
    for n in 1..=31 {
        replies.push(try_login(&app.visitor(), "192.0.2.1", &format!("user{n}"), PASSWORD).await);
    }
    let last = replies.pop().unwrap().refused(429, "rate_limited");
    assert_eq!(last.header("ratelimit-policy"), "\"login\";q=30;w=60");
    try_login(&app.visitor(), "192.0.2.1", "susan", PASSWORD)
        .await
        .refused(429, "rate_limited");
    try_with(&app, &cookie, "192.0.2.1", "susan", PASSWORD)
        .await
        .expect(200);
    try_login(&app.visitor(), home, "susan", PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn strangers_elsewhere_cannot_block_a_known_network() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    for home in ["203.0.113.5", "2001:db8:1:2::5"] {
        try_login(&app.visitor(), home, "susan", PASSWORD)
            .await
            .expect(200);
    }
    besiege(&app, "susan").await;
    let login = async |from: &str| try_login(&app.visitor(), from, "susan", PASSWORD).await;
    login("203.0.113.77").await.expect(200);
    login("2001:db8:1:2:ffff::1").await.expect(200);
    login("203.0.114.5").await.refused(429, "rate_limited");
    login("2001:db8:1:3::5").await.refused(429, "rate_limited");
    app.sql("update known_networks set seen_at = now() - interval '91 days'")
        .await;
    login("203.0.113.77").await.refused(429, "rate_limited");
}

#[tokio::test]
async fn known_networks_have_separate_but_bounded_attempts() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let mut evaluated = Vec::new();
    for network in 1..=6 {
        let home = format!("203.0.{network}.1");
        try_login(&app.visitor(), &home, "susan", PASSWORD)
            .await
            .expect(200);
        let mut replies = Vec::new();
        for n in 2..9 {
            let from = format!("203.0.{network}.{n}");
            replies.push(try_login(&app.visitor(), &from, "susan", WRONG).await);
        }
        evaluated.push(codes(&replies).iter().filter(|code| **code == 401).count());
    }
    assert_eq!(evaluated, [5, 5, 5, 5, 0, 0], "five each, twenty together");
}

#[tokio::test]
async fn logins_from_known_places_are_limited_too() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let home = "203.0.113.5";
    let (began, mut logins) = (Instant::now(), 0);
    let last = loop {
        let reply = try_login(&app.visitor(), home, "susan", PASSWORD).await;
        if reply.status != 200 {
            break reply.refused(429, "rate_limited");
        }
        logins += 1;
        // The first counts as a stranger's, then 30 a minute.
        assert!(logins <= 31 + regained(began.elapsed(), 2), "{logins}");
    };
    assert!(logins >= 31, "{logins}");
    assert_eq!(
        last.header("ratelimit-policy"),
        "\"known-person\";q=30;w=60"
    );
    let wrong = async |from: &str| try_login(&app.visitor(), from, "susan", WRONG).await;
    app.sql("delete from rate_limits").await;
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push(wrong(home).await);
    }
    let policy = seen.pop().unwrap().header("ratelimit-policy").to_owned();
    assert_eq!(
        policy, "\"account\";q=5;w=300",
        "the same as anywhere, which reveals nothing"
    );
}

#[tokio::test]
async fn networks_not_seen_for_90_days_are_forgotten() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    for n in 1..4 {
        let home = format!("203.0.{n}.1");
        try_login(&app.visitor(), &home, "susan", PASSWORD)
            .await
            .expect(200);
    }
    app.sql("update known_networks set seen_at = now() - interval '90 days 1 second' where network <> '203.0.2.0/24'")
        .await;
    let sibling = app.sibling(ON).await;
    let left = "select count(*) from known_networks";
    crate::support::wait_until("the old ones are gone", async || {
        sibling.count(left).await == 1
    })
    .await;
}

/// A day passes for limits and known networks.
async fn a_day_passes(app: &App) {
    app.sql(
        "update rate_limits set full_at = full_at - interval '1 day'; \
         update known_networks set seen_at = seen_at - interval '1 day'",
    )
    .await;
}

#[tokio::test]
async fn the_owner_can_log_in_during_a_weeks_attack_from_50_addresses() {
    let app = App::with(ON).await;
    app.registered("susan").await;
    let home = "203.0.113.5";
    let first = try_login(&app.visitor(), home, "susan", PASSWORD).await;
    let known = device_cookie(&first.expect(200));
    for day in 1..=7 {
        // The attackers use every attempt they get, all day long. This is one round of it, which uses up the attempts
        // in a row.
        let mut evaluated = 0;
        for address in 0..50 {
            for _ in 0..3 {
                let from = format!("198.51.{address}.1");
                let reply = try_login(&app.visitor(), &from, "susan", WRONG).await;
                evaluated += u32::from(reply.status == 401);
            }
            app.sql("update rate_limits set full_at = now() where whole < interval '1 day'")
                .await;
        }
        assert!(evaluated <= 50, "day {day}: {evaluated}");
        let at_once = async |from: &str| try_login(&app.visitor(), from, "susan", PASSWORD).await;
        let elsewhere = format!("192.0.{day}.1");
        at_once(&elsewhere).await.refused(429, "rate_limited");
        if day % 2 == 0 {
            try_with(&app, &known, &elsewhere, "susan", PASSWORD)
                .await
                .expect(200);
        } else {
            at_once("203.0.113.99").await.expect(200);
        }
        a_day_passes(&app).await;
    }
    // After an attack without a login since, a login from a new place works within a day.
    for n in 0..60 {
        try_login(&app.visitor(), &format!("198.51.7.{n}"), "susan", WRONG).await;
        app.sql("update rate_limits set full_at = now() where whole < interval '1 day'")
            .await;
    }
    let refused = try_login(&app.visitor(), "192.0.77.1", "susan", PASSWORD).await;
    let refused = refused.refused(429, "rate_limited");
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!(wait <= 86_400);
    app.sql(&format!(
        "update rate_limits set full_at = full_at - interval '{wait} seconds'"
    ))
    .await;
    try_login(&app.visitor(), "192.0.77.1", "susan", PASSWORD)
        .await
        .expect(200);
}

/// Every non-ASCII character whose lower-case, upper-case or case-folded form contains an ASCII letter, with that
/// letter.
fn lookalikes() -> Vec<(char, char)> {
    let mut all = Vec::new();
    for other in ('\u{80}'..=char::MAX).filter(|c| c.is_alphabetic()) {
        let folded = other.to_uppercase().flat_map(char::to_lowercase);
        let forms = other.to_lowercase().chain(other.to_uppercase());
        let letters = forms.chain(folded).filter(char::is_ascii_alphabetic);
        all.extend(letters.map(|letter| (letter.to_ascii_lowercase(), other)));
    }
    all
}

/// All spellings of a name with some of its letters replaced by lookalikes, in every combination.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned(), name.to_uppercase()];
    for (letter, other) in lookalikes() {
        let places: Vec<usize> = name.match_indices(letter).map(|(at, _)| at).collect();
        for chosen in 1..1_u32 << places.len() {
            let replaced = |(at, c)| {
                let place = places.iter().position(|place| *place == at);
                place.map_or(c, |n| if chosen >> n & 1 == 1 { other } else { c })
            };
            all.push(name.char_indices().map(replaced).collect());
        }
    }
    all
}

#[tokio::test]
async fn all_spellings_of_an_account_share_one_limit() {
    let app = App::with(ON).await;
    let address = "william.williams@example.com";
    let form = json!({"username": "william.williams", "email": address, "password": PASSWORD});
    app.visitor().post("/api/register", form).await.expect(201);
    let all = [address, "william.williams"]
        .into_iter()
        .flat_map(spellings);
    let all: Vec<String> = all.collect();
    assert!(all.len() > 60 && all.iter().any(|name| name.contains('İ')));
    let open = app.sibling(&["--rate-limits=off", ON[1]]).await;
    let mut same = Vec::new();
    for name in all {
        let reply = try_login(&open.visitor(), "203.0.113.1", &name, PASSWORD).await;
        if reply.status == 200 {
            same.push(name);
        }
    }
    app.sql("delete from known_networks").await;
    assert!(same.len() >= 17, "{same:?}");
    let asked = at_once(200, async |n| {
        let name = &same[n % same.len()];
        try_login(&app.visitor(), &format!("198.51.100.{n}"), name, WRONG).await
    });
    assert_evaluated(&asked.await, 5, 60);
    for name in &same {
        try_login(&app.visitor(), "203.0.113.1", name, PASSWORD)
            .await
            .refused(429, "rate_limited");
    }
}

#[tokio::test]
async fn all_spellings_of_an_unknown_name_share_one_limit() {
    let app = App::with(ON).await;
    let spellings = [
        "İngrid@example.com",
        "ingrid@example.com",
        "INGRID@EXAMPLE.COM",
    ];
    let asked = at_once(30, async |n| {
        try_login(
            &app.visitor(),
            &format!("198.51.100.{n}"),
            spellings[n % 3],
            WRONG,
        )
        .await
    });
    assert_evaluated(&asked.await, 5, 60);
}

#[tokio::test]
async fn invented_names_share_65536_buckets() {
    let app = App::with(ON).await;
    for n in 0..100 {
        let from = format!("10.0.{n}.1");
        let names = [
            format!("invented{n}"),
            format!("{n}@example.com"),
            format!("no name {n}"),
        ];
        try_login(&app.visitor(), &from, &names[n % 3], WRONG)
            .await
            .expect(401);
    }
    let numbered = |n| hex::encode(KeyHash::of(&format!("in-a-row\0nobody {n}")).as_bytes());
    let all: BTreeSet<String> = (0..=u16::MAX).map(numbered).collect();
    let rows = "select encode(bucket, 'hex') from rate_limits where whole > interval '1 day'";
    let rows = app.sql(rows).await;
    assert!(rows.len() > 90, "few collide");
    assert!(
        rows.iter()
            .flatten()
            .flatten()
            .all(|name| all.contains(name))
    );
}
