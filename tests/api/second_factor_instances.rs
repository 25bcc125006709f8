//! Second factors over several instances, restarts and secret keys, and what they cost.

use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::metrics::{FLAGS, Scrape};
use crate::second_factor::{
    confirm, decoded, enrol, halfway, offer, protected, show, show_recovery, step_now,
};
use crate::support::process::{Process, TempDir, command};
use crate::support::{App, Database, PASSWORD, SECRET_KEY, Visitor, wait_until};

async fn log_in_at(process: &Process) -> Visitor {
    let visitor = process.visitor();
    let form = json!({"username": "susan", "email": "susan@example.com", "password": PASSWORD});
    visitor.post("/api/register", form).await.expect(201);
    visitor.log_in("susan").await.expect(200);
    visitor
}

#[tokio::test]
async fn a_factor_that_one_instance_turned_on_is_asked_for_by_another_at_once() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    for n in 0..10 {
        let name = format!("susan{n}");
        let (susan, old) = (app.logged_in(&name).await, sibling.visitor());
        old.log_in(&name).await.expect(200);
        let ours = offer(&susan).await;
        let form = json!({"code": ours.code_of(step_now()), "end_other_sessions": false});
        susan.post("/api/totp/confirm", form).await.expect(200);
        let browser = halfway(&sibling, &name).await;
        show(&browser, &ours.unused_code(&app).await)
            .await
            .expect(200);
        let began = Instant::now();
        wait_until(
            "an older session there is not enough any more",
            async || old.post("/api/recovery-codes", json!({})).await.status == 403,
        )
        .await;
        assert!(began.elapsed().as_secs() < 5);
    }
}

#[tokio::test]
async fn a_step_survives_its_postgresql() {
    let data = TempDir::new();
    let process = Process::start(&data.0);
    let ours = enrol(&log_in_at(&process).await).await;
    let browser = process.visitor();
    let asked = browser.log_in("susan").await;
    asked.refused(401, "second_factor_required");
    let pid = std::fs::read_to_string(data.0.join("postgres/data/postmaster.pid"))
        .or_else(|_| std::fs::read_to_string(data.0.join("postgres/postmaster.pid")));
    let pid = pid.unwrap().lines().next().unwrap().to_owned();
    let killed = Command::new("kill").args(["-9", &pid]).status().unwrap();
    assert!(killed.success());
    let mut statuses = Vec::new();
    wait_until_status(&mut statuses, async || {
        let code = ours.code_of(step_now() + 1);
        show(&browser, &code).await.status.as_u16()
    })
    .await;
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    assert!(browser.is_logged_in().await);
}

/// Asks until the answer is 200; collects the others.
async fn wait_until_status(others: &mut Vec<u16>, ask: impl AsyncFn() -> u16) {
    for _ in 0..3000 {
        match ask().await {
            200 => return,
            other => others.push(other),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never: {others:?}");
}

#[tokio::test]
async fn steps_and_factors_survive_a_restart() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let browser = halfway(&app, "susan").await;
    let wrong = show(&browser, &ours.wrong_code()).await;
    assert_eq!(wrong.refused(401, "invalid_code").body["tries_left"], 4);
    let code = ours.unused_code(&app).await;
    let sibling = app.sibling(&[]).await;
    drop(app);
    let browser = browser.at(sibling.address);
    let step = browser.get("/api/login/step").await.expect(200).body;
    assert_eq!(step["tries_left"], 4);
    show(&browser, &code).await.expect(200);
}

/// G9.
#[tokio::test]
async fn no_table_holds_a_secret_in_clear() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    halfway(&app, "susan").await;
    let miguel = app.logged_in("miguel").await;
    let offered = offer(&miguel).await;
    let dump = "set xmlbinary to hex; select database_to_xml(true, true, '')::text";
    let dump = app
        .sql(dump)
        .await
        .remove(0)
        .remove(0)
        .unwrap()
        .to_lowercase();
    assert!(dump.contains("totp_secrets") && dump.contains("susan@example.com"));
    for secret in [&ours.secret, &offered.secret] {
        let bytes = decoded(secret);
        for form in [
            secret.to_lowercase(),
            hex::encode(&bytes),
            hex::encode(secret),
        ] {
            assert!(!dump.contains(&form), "{form}");
        }
    }
    for code in &ours.recovery_codes {
        let bare = code.replace('-', "");
        for form in [code.clone(), hex::encode(code), hex::encode(&bare), bare] {
            assert!(!dump.contains(&form), "{form}");
        }
    }
}

/// G9. A secret that cannot be read is not one that is missing.
#[tokio::test]
async fn with_a_secret_that_cannot_be_decrypted_no_code_is_right() {
    let app = App::start().await;
    let (_susan, susans) = protected(&app, "susan").await;
    let (_miguel, miguels) = protected(&app, "miguel").await;
    let damages = [
        "update totp_secrets set secret = (select secret from totp_secrets join users on id = user_id where username = 'miguel')",
        "update totp_secrets set secret = set_byte(secret, 20, get_byte(secret, 20) # 1)",
        "update totp_secrets set secret = ''",
        "update totp_secrets set secret = '\\x00'",
        "update totp_secrets set secret = decode(repeat('00', 20), 'hex')",
    ];
    for (n, damage) in damages.into_iter().enumerate() {
        app.sql(damage).await;
        let browser = halfway(&app, "susan").await;
        for ours in [&susans, &miguels] {
            let code = ours.unused_code(&app).await;
            show(&browser, &code).await.refused(401, "invalid_code");
        }
        show(&browser, "000000").await.refused(401, "invalid_code");
        let code = &susans.recovery_codes[n];
        show_recovery(&browser, code).await.expect(200);
    }
}

/// L5.
#[tokio::test]
async fn after_a_change_of_the_secret_key_codes_are_still_good() {
    let (database, data) = (Database::create().await, TempDir::new());
    let new = SECRET_KEY.replace('0', "1");
    let start = |key: &str, old: Option<&str>| {
        let mut command = command(&data.0);
        command.env("DATABASE_URL", database.url());
        command.env("LATCHKEY_SECRET_KEY", key);
        if let Some(old) = old {
            command.env("LATCHKEY_SECRET_KEY_OLD", old);
        }
        Process::spawn(&mut command)
    };
    let before = start(SECRET_KEY, None);
    let susan = log_in_at(&before).await;
    let ours = offer(&susan).await;
    confirm(&susan, &ours.code_of(step_now())).await.expect(200);
    drop(before);
    let after = start(&new, Some(SECRET_KEY));
    let browser = after.visitor();
    let asked = browser.log_in("susan").await;
    asked.refused(401, "second_factor_required");
    show(&browser, &ours.code_of(step_now() + 1))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_login_with_an_app_costs_one_hash_and_one_with_a_recovery_code_two() {
    let app = App::with(&FLAGS).await;
    let (_susan, ours) = protected(&app, "susan").await;
    let hashes = async || {
        let scrape = Scrape::at(&app).await.0;
        let mut lines = scrape.lines();
        let count = lines.find_map(|line| line.strip_prefix("latchkey_hash_seconds_count "));
        count.unwrap().parse::<f64>().unwrap()
    };
    let before = hashes().await;
    let browser = halfway(&app, "susan").await;
    let wrong = show(&browser, &ours.wrong_code()).await;
    wrong.refused(401, "invalid_code");
    show(&browser, &ours.unused_code(&app).await)
        .await
        .expect(200);
    assert_eq!(hashes().await - before, 1.0);
    let browser = halfway(&app, "susan").await;
    show_recovery(&browser, &ours.recovery_codes[0])
        .await
        .expect(200);
    assert_eq!(hashes().await - before, 3.0);
}

/// As before there were two factors.
#[tokio::test]
async fn who_has_two_factors_is_recognized_without_a_query() {
    let app = App::with(&FLAGS).await;
    let (susan, _ours) = protected(&app, "susan").await;
    let asked = async || {
        let scrape = Scrape::at(&app).await;
        let lookups = ["hit", "miss"].map(|result| {
            let series = format!("latchkey_cache_lookups_total{{result=\"{result}\"}} ");
            let value = scrape.0.lines().find_map(|line| line.strip_prefix(&series));
            value.unwrap().parse::<f64>().unwrap()
        });
        (lookups[0], lookups[1])
    };
    wait_until("the change has been heard of", async || {
        let before = asked().await;
        for _ in 0..50 {
            let me = susan.get("/api/me").await.expect(200).body;
            assert_eq!(me["session"]["factors"], 2);
        }
        let after = asked().await;
        (after.0 - before.0, after.1 - before.1) == (50.0, 0.0)
    })
    .await;
}
