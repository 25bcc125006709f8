//! Codes of an authenticator app: which are good, and how often.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use chrono::DateTime;
use reqwest::Method;
use serde_json::json;

use crate::second_factor::{
    confirm, halfway, offer, opened, protected, seconds_now, show, show_recovery, step_now, texts,
};
use crate::support::{App, at_once, send};

/// G3.
#[tokio::test]
async fn one_code_in_twenty_steps_at_once_opens_one_session() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    let (_susan, ours) = protected(&app, "susan").await;
    for round in 0..12 {
        let mut browsers = Vec::new();
        for n in 0..20 {
            let at = if n % 2 == 0 { &app } else { &sibling };
            browsers.push(halfway(at, "susan").await);
        }
        let before = app.count("select count(*) from sessions").await;
        let code = ours.unused_code(&app).await;
        let all = at_once(20, async |n| show(&browsers[n], &code).await).await;
        assert_eq!(opened(&all.replies), 1, "round {round}");
        for reply in all.replies.into_iter().filter(|it| it.status != 200) {
            assert_eq!(reply.refused(401, "invalid_code").body["tries_left"], 4);
        }
        let sessions = app.count("select count(*) from sessions").await;
        assert_eq!(sessions, before + 1, "round {round}");
        let mut inside = 0;
        for browser in &browsers {
            inside += usize::from(browser.is_logged_in().await);
        }
        assert_eq!(inside, 1, "round {round}");
        app.sql("delete from sessions; delete from login_steps")
            .await;
    }
}

/// One step cannot be taken twice, however many good codes are shown in it.
#[tokio::test]
async fn one_step_with_many_good_codes_opens_one_session() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    for round in 0..12 {
        app.sql("delete from sessions").await;
        let browser = halfway(&app, "susan").await;
        let now = step_now();
        app.sql("update totp_secrets set last_step = 0").await;
        let codes = [-1, 0, 1].map(|n| ours.code_of(now + n));
        let all = at_once(5, async |n| show(&browser, &codes[n % 3]).await).await;
        assert_eq!(opened(&all.replies), 1, "round {round}");
        let sessions = app.count("select count(*) from sessions").await;
        assert_eq!(sessions, 1, "round {round}");
    }
}

/// G3.
#[tokio::test]
async fn the_code_that_confirmed_the_app_logs_nobody_in() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let ours = offer(&susan).await;
    let code = ours.code_of(step_now());
    confirm(&susan, &code).await.expect(200);
    let browser = halfway(&app, "susan").await;
    show(&browser, &code).await.refused(401, "invalid_code");
    // Neither does an earlier one.
    let earlier = ours.code_of(step_now() - 1);
    show(&browser, &earlier).await.refused(401, "invalid_code");
    show(&browser, &ours.code_of(step_now() + 1))
        .await
        .expect(200);
}

/// G3. The clock of the database counts, whatever the client says.
#[tokio::test]
async fn codes_of_three_steps_are_good_and_no_others() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    for (n, good) in [
        (-3, false),
        (-2, false),
        (2, false),
        (3, false),
        (-1, true),
        (0, true),
        (1, true),
    ] {
        let browser = halfway(&app, "susan").await;
        app.sql("update totp_secrets set last_step = 0").await;
        // Away from the end of a step, or the next one begins before the code arrives.
        while seconds_now() % 30 > 24 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let code = json!({"code": ours.code_of(step_now() + n)});
        let then = DateTime::from_timestamp(seconds_now() + 30 * n, 0).unwrap();
        let asked = browser.request(Method::POST, "/api/login/second-factor");
        let asked = asked.header("date", then.to_rfc2822()).json(&code);
        let status = send(asked).await.status.as_u16();
        assert_eq!(status, if good { 200 } else { 401 }, "{n}");
    }
}

#[tokio::test]
async fn a_code_of_oathtool_logs_in() {
    let (mut missing, mut oathtool) = (std::io::stderr(), Command::new("oathtool"));
    if let Err(error) = oathtool.arg("--version").output() {
        let how = format!("no oathtool (apt-get install oathtool): {error}");
        #[expect(clippy::disallowed_methods, reason = "a test has no settings")]
        let required = std::env::var_os("TEST_OATHTOOL").is_some_and(|word| word == "required");
        assert!(!required, "{how}");
        // Past the harness, which shows nothing of a test that passes.
        writeln!(missing, "a_code_of_oathtool_logs_in was skipped: {how}").unwrap();
        return;
    }
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let ours = offer(&susan).await;
    let shown = |at: &str| {
        let mut oathtool = Command::new("oathtool");
        oathtool.args(["--totp", "--base32", "--now", at, &ours.secret]);
        let done = oathtool.output().unwrap();
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    confirm(&susan, &shown("now")).await.expect(200);
    let browser = halfway(&app, "susan").await;
    let later = shown("30 seconds");
    let login = show(&browser, &later).await.expect(200).body;
    assert_eq!(login["session"]["methods"], json!(["password", "totp"]));
    assert_eq!(login["session"]["factors"], 2);
}

/// Of many who confirm at once with one code, one gets recovery codes, and those work.
#[tokio::test]
async fn one_confirmation_counts() {
    let app = App::start().await;
    for round in 0..5 {
        let name = format!("user{round}");
        let susan = app.logged_in(&name).await;
        let mut ours = offer(&susan).await;
        let code = ours.code_of(step_now());
        let all = at_once(10, async |_| confirm(&susan, &code).await).await;
        assert_eq!(opened(&all.replies), 1);
        for reply in all.replies {
            if reply.status == 200 {
                ours.recovery_codes = texts(&reply.body["recovery_codes"]);
            } else {
                reply.refused(410, "step_expired");
            }
        }
        let browser = halfway(&app, &name).await;
        let shown = show_recovery(&browser, &ours.recovery_codes[0]).await;
        assert_eq!(shown.expect(200).body["recovery_codes_left"], 9);
    }
}
