//! Metrics: what they count, and what they never tell.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use crate::limits::try_login;
use crate::outbox::{forgot, reset, wait_until_empty};
use crate::second_factor::{enrol, halfway, show};
use crate::support::proxy::Line;
use crate::support::smtp::{Mode, Received, Smtp};
use crate::support::{App, PASSWORD, SECRET_KEY, Visitor, wait_until};

pub const FLAGS: [&str; 3] = [
    "--metrics-listen=127.0.0.1:0",
    "--rate-limits=on",
    "--trusted-proxies=127.0.0.1",
];

/// Everything that a scrape has after people logged in, mistyped, guessed and got mail.
const NAMES: [&str; 21] = [
    "latchkey_build_info",
    "latchkey_cache_lookups_total",
    "latchkey_db_pool_in_use",
    "latchkey_db_pool_waiting",
    "latchkey_hash_queue_depth",
    "latchkey_hash_seconds_count",
    "latchkey_hash_wait_seconds_count",
    "latchkey_http_request_seconds_count",
    "latchkey_http_requests_total",
    "latchkey_limits_hit_total",
    "latchkey_listener_up",
    "latchkey_logins_total",
    "latchkey_mail_oldest_seconds",
    "latchkey_mails_total",
    "latchkey_mails_waiting",
    "latchkey_second_factor_total",
    "latchkey_sessions_cached",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

/// The answer to a scrape.
pub struct Scrape(pub String);

impl Scrape {
    pub async fn of(ops: SocketAddr) -> Self {
        let asked = reqwest::get(format!("http://{ops}/metrics")).await.unwrap();
        assert_eq!(asked.status(), 200);
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(asked.headers()["content-type"], kind);
        let text = asked.text().await.unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        Self(text)
    }

    pub async fn at(app: &App) -> Self {
        Self::of(app.ops.unwrap()).await
    }

    fn series(&self) -> Vec<&str> {
        self.0.lines().filter(|it| !it.starts_with('#')).collect()
    }

    fn names(&self) -> BTreeSet<&str> {
        let name = |line: &'_ str| line.find(['{', ' ']).unwrap();
        let series = self.series().into_iter();
        series.map(|line| &line[..name(line)]).collect()
    }

    /// The value of a series, which must be there.
    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        let lines = self.0.lines();
        let mut values = lines.filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let value = values
            .next()
            .unwrap_or_else(|| panic!("{series} in {}", self.0));
        value.parse().unwrap()
    }
}

pub fn ops(app: &App) -> Visitor {
    Visitor::new(app.ops.unwrap())
}

/// Logs in well, badly and too often, asks who one is, and gets mails.
async fn busy_day(app: &App, smtp: &Smtp) -> Vec<String> {
    let susan = app.registered("susan").await;
    let mut secrets = vec![smtp.mail_to("susan@example.com").await.token()];
    let login = susan.log_in("susan").await.expect(200);
    secrets.push(login.session_cookie());
    secrets.push(login.body["user"]["id"].as_str().unwrap().to_owned());
    secrets.push(login.body["session"]["id"].as_str().unwrap().to_owned());
    secrets.push(login.header("x-request-id").to_owned());
    for _ in 0..3 {
        susan.get("/api/me").await.expect(200);
    }
    let app_of = enrol(&susan).await;
    let browser = halfway(app, "susan").await;
    show(&browser, &app_of.wrong_code()).await.expect(401);
    let code = app_of.unused_code(app).await;
    show(&browser, &code).await.expect(200);
    secrets.extend(app_of.recovery_codes.into_iter().chain([app_of.secret]));
    let stranger = app.visitor();
    for _ in 0..7 {
        try_login(&stranger, "203.0.113.77", "susan", "wrong-Password-9").await;
    }
    smtp.set(Mode::RefuseRecipient("nobody@example.com".to_owned()));
    app.registered("nobody").await;
    app.registered("miguel").await;
    forgot(&app.visitor(), "miguel@example.com").await;
    let is_reset =
        |mail: &Received| mail.to == ["miguel@example.com"] && mail.link().contains("/reset");
    wait_until("the link arrives", async || {
        smtp.mails().iter().any(is_reset)
    })
    .await;
    let mails = smtp.mails();
    let mail = mails.iter().find(|mail| is_reset(mail)).unwrap();
    secrets.push(mail.token());
    reset(app, mail).await.expect(204);
    wait_until_empty(app).await;
    secrets
}

#[tokio::test]
async fn after_a_busy_day_every_metric_is_there_and_counts_what_happened() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &FLAGS).await;
    let before = Scrape::at(&app).await;
    assert_eq!(before.value("latchkey_hash_seconds_count"), 0.0);
    busy_day(&app, &smtp).await;
    let scrape = Scrape::at(&app).await;
    let names = scrape.names();
    let missing: Vec<_> = NAMES.iter().filter(|it| !names.contains(*it)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_logins(&scrape);
    assert_requests(&scrape);
    let version = env!("CARGO_PKG_VERSION");
    let info = format!("latchkey_build_info{{version=\"{version}\"}}");
    assert_eq!(scrape.value(&info), 1.0);
    assert!(scrape.value("process_resident_memory_bytes") > 1e6);
    assert!(scrape.value("process_cpu_seconds_total") > 0.0);
    assert!(scrape.value("process_start_time_seconds") > 1.7e9);
    assert!(scrape.value("process_open_fds") > 3.0);
}

fn assert_logins(scrape: &Scrape) {
    let logins = |result: &str| {
        scrape.value(&format!(
            "latchkey_logins_total{{method=\"password\",result=\"{result}\"}}"
        ))
    };
    let all = [
        "good",
        "second_factor",
        "bad",
        "limited",
        "refused",
        "failed",
    ]
    .map(logins);
    assert_eq!(all, [1.0, 1.0, 5.0, 2.0, 0.0, 0.0]);
    let codes = |method: &str, result: &str| {
        scrape.value(&format!(
            "latchkey_second_factor_total{{method=\"{method}\",result=\"{result}\"}}"
        ))
    };
    let all = ["good", "bad", "limited", "refused", "failed"].map(|result| codes("totp", result));
    assert_eq!(all, [1.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(codes("recovery_code", "good"), 0.0);
    let hit = scrape.value("latchkey_limits_hit_total{limit=\"account\"}");
    assert_eq!(hit, 2.0);
}

fn assert_requests(scrape: &Scrape) {
    let requests = |route: &str, method: &str, status: u16| {
        scrape.value(&format!(
            "latchkey_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}"
        ))
    };
    assert_eq!(requests("/api/me", "GET", 200), 3.0);
    assert_eq!(requests("/api/login", "POST", 200), 1.0);
    assert_eq!(requests("/api/login", "POST", 401), 6.0);
    assert_eq!(requests("/api/login", "POST", 429), 2.0);
    let timed = "latchkey_http_request_seconds_count{route=\"/api/me\"}";
    assert_eq!(scrape.value(timed), 3.0);
    // Two good logins, five bad ones, three registrations, a reset and ten recovery codes.
    assert_eq!(scrape.value("latchkey_hash_seconds_count"), 21.0);
    // Judging the four new passwords waits for a thread, too.
    assert_eq!(scrape.value("latchkey_hash_wait_seconds_count"), 25.0);
    let lookups = |result| {
        scrape.value(&format!(
            "latchkey_cache_lookups_total{{result=\"{result}\"}}"
        ))
    };
    assert!(lookups("hit") >= 2.0 && lookups("miss") >= 1.0);
    let mails = |kind: &str, result: &str| {
        scrape.value(&format!(
            "latchkey_mails_total{{kind=\"{kind}\",result=\"{result}\"}}"
        ))
    };
    assert_eq!(mails("verify_email", "sent"), 2.0);
    assert_eq!(mails("verify_email", "given_up"), 1.0);
    assert_eq!(mails("reset_password", "sent"), 1.0);
}

/// A scrape while logins hold all four connections of the pool, and others wait for one.
async fn while_the_pool_is_empty(app: &App) -> Scrape {
    let held = "begin; lock table users in access exclusive mode; select pg_sleep(3); commit";
    let lock = "select count(*) from pg_locks where relation = 'users'::regclass and mode = 'AccessExclusiveLock' and granted";
    // A connection is waited for during less than a second, which a busy machine can miss.
    for _ in 0..10 {
        let asking = async {
            wait_until("users are locked", async || app.count(lock).await > 0).await;
            let names = (0..8).map(|n| format!("nobody{n}"));
            let logins = names.map(|name| async move { app.visitor().log_in(&name).await });
            futures_util::future::join_all(logins).await
        };
        let scraping = async {
            for _ in 0..30 {
                let scrape = Scrape::at(app).await;
                let gauge = |name: &str| scrape.value(&format!("latchkey_db_pool_{name}"));
                if gauge("in_use") == 4.0 && gauge("waiting") > 0.0 {
                    return Some(scrape);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            None
        };
        if let (_, _, Some(found)) = tokio::join!(app.sql(held), asking, scraping) {
            return found;
        }
    }
    panic!("the pool was never empty");
}

#[tokio::test]
async fn gauges_follow_what_waits() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &[&FLAGS[..], &["--hash-workers=1"]].concat()).await;
    let quiet = Scrape::at(&app).await;
    for name in [
        "hash_queue_depth",
        "sessions_cached",
        "mails_waiting",
        "mail_oldest_seconds",
    ] {
        assert_eq!(quiet.value(&format!("latchkey_{name}")), 0.0, "{name}");
    }
    assert_eq!(quiet.value("latchkey_listener_up"), 1.0);
    let susan = app.logged_in("susan").await;
    susan.get("/api/me").await.expect(200);
    wait_until_empty(&app).await;
    smtp.set(Mode::Greylist);
    app.sql(
        "insert into mails (id, kind, user_id, address, created_at) select gen_random_uuid(), 'reset_password', id, \
         email, now() - interval '1 hour' from users",
    )
    .await;
    let full = app.full_hasher().await;
    let busy = while_the_pool_is_empty(&app).await;
    assert_eq!(busy.value("latchkey_hash_queue_depth"), 128.0);
    assert_eq!(busy.value("latchkey_sessions_cached"), 1.0);
    full.let_go().await;
    let postponed = "latchkey_mails_total{kind=\"reset_password\",result=\"postponed\"}";
    wait_until("a mail is put off", async || {
        Scrape::at(&app).await.value(postponed) >= 1.0
    })
    .await;
    let waiting = Scrape::at(&app).await;
    assert_eq!(waiting.value("latchkey_mails_waiting"), 1.0);
    assert!(waiting.value("latchkey_mail_oldest_seconds") >= 3600.0);
}

#[tokio::test]
async fn without_its_database_it_tells_everything_but_the_mails() {
    let (app, mut proxy) = App::behind_proxy(Line::Good, &FLAGS).await;
    app.wait_for_cache().await;
    assert_eq!(Scrape::at(&app).await.value("latchkey_mails_waiting"), 0.0);
    proxy.set(Line::Dead);
    let began = Instant::now();
    let scrape = Scrape::at(&app).await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "Prometheus waits for ten"
    );
    assert!(scrape.value("latchkey_mails_waiting").is_nan());
    assert!(scrape.value("latchkey_mail_oldest_seconds").is_nan());
    wait_until("it hears nothing", async || {
        Scrape::at(&app).await.value("latchkey_listener_up") == 0.0
    })
    .await;
    proxy.close().await;
    let ready = ops(&app).get("/health/ready").await;
    ready.refused(503, "database_unavailable");
    ops(&app).get("/health/live").await.expect(200);
}

/// Sends what no label may repeat: 500 invented paths and 50 invented methods, and every route in every wrong way.
async fn attack(app: &App) {
    let visitor = app.visitor();
    for n in 0..500 {
        let method = Method::from_bytes(format!("ATTACK{}", n % 50).as_bytes()).unwrap();
        let method = [Method::GET, Method::HEAD, method][n % 3].clone();
        let path = [
            format!("/attack{n}"),
            format!("/api/attack{n}?token=attack{n}"),
            format!("/api/sessions/attack{n}"),
            format!("/swagger-ui/attack{n}"),
            format!("/api/me/attack{n}\"}} 1"),
        ];
        let request = visitor.request(method, &path[n % 5]);
        visitor
            .client
            .execute(request.build().unwrap())
            .await
            .unwrap();
    }
    let paths = crate::support::document()["paths"].as_object().unwrap();
    for path in paths.keys() {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "ATTACK",
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            for origin in ["http://evil.example", "http://localhost:8080"] {
                let request = visitor
                    .request(method.clone(), path)
                    .header("origin", origin);
                let _ = visitor.client.execute(request.build().unwrap()).await;
            }
        }
    }
}

/// L4.
#[tokio::test]
async fn metrics_name_nobody_and_stay_few_whatever_strangers_send() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &FLAGS).await;
    let mut secrets = busy_day(&app, &smtp).await;
    attack(&app).await;
    let scrape = Scrape::at(&app).await;
    let series = scrape.series().len();
    assert!((100..=2000).contains(&series), "{series} series");
    let none = "latchkey_http_requests_total{route=\"none\",method=\"other\",status=\"404\"}";
    assert!(scrape.value(none) > 50.0);
    secrets.extend(
        [
            "susan",
            "nobody@",
            "example.com",
            "attack",
            "ATTACK",
            "evil",
            "203.0.113",
            "127.0.0.1",
            PASSWORD,
            SECRET_KEY,
        ]
        .map(str::to_owned),
    );
    for secret in secrets {
        assert!(!scrape.0.contains(&secret), "{secret} in {}", scrape.0);
    }
}

/// Names of metrics in a text: words that begin like ours.
fn mentioned(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("latchkey_") || word.starts_with("process_"))
        .collect()
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_for_metrics_that_exist() {
    let smtp = Smtp::start().await;
    let app = App::with_mail(&smtp, &FLAGS).await;
    busy_day(&app, &smtp).await;
    let scrape = Scrape::at(&app).await;
    let names = scrape.names();
    let deploy = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy"));
    let mut asked = 0;
    for file in ["grafana.json", "alerts.yaml"] {
        let text = std::fs::read_to_string(deploy.join(file)).unwrap();
        for name in mentioned(&text) {
            assert!(names.contains(name), "{file} asks for {name}");
            asked += 1;
        }
    }
    assert!(asked >= 15, "finds the names");
}

#[test]
fn the_dashboard_has_what_grafana_needs_and_five_alerts_say_what_to_do() {
    let dashboard: Value = serde_json::from_str(include_str!("../../deploy/grafana.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(36));
    assert!(dashboard["title"].is_string() && dashboard["uid"].is_string());
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels {
        let place = &panel["gridPos"];
        assert!(
            ["x", "y", "w", "h"].iter().all(|key| place[key].is_u64()),
            "{panel}"
        );
        let targets = panel["targets"].as_array().unwrap();
        assert!(
            targets.iter().all(|target| target["expr"].is_string()),
            "{panel}"
        );
        assert!(!targets.is_empty() && panel["datasource"]["type"] == "prometheus");
    }
    let alerts = include_str!("../../deploy/alerts.yaml");
    let count = |key: &str| alerts.matches(&format!(" {key}:")).count();
    let keys = ["alert", "expr", "for", "summary", "description"].map(count);
    assert_eq!(keys, [5; 5]);
}
