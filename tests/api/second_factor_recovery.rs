//! Recovery codes: shown once, good once.

use std::collections::BTreeSet;

use serde_json::json;

use crate::recovery::with_mail;
use crate::second_factor::{halfway, opened, protected, show, show_recovery, step_now, texts};
use crate::support::smtp::{Received, Smtp};
use crate::support::{App, at_once, wait_until};

/// The token of the mail that leads to this page. Notices arrive in between.
pub async fn token_for(smtp: &Smtp, page: &str) -> String {
    let leads_there = |mail: &Received| mail.link().contains(page);
    wait_until("the mail arrives", async || {
        smtp.mails().iter().any(leads_there)
    })
    .await;
    let mails = smtp.mails();
    mails.iter().find(|mail| leads_there(mail)).unwrap().token()
}

/// G8.
#[tokio::test]
async fn ten_codes_of_80_bits_are_shown_once_and_stored_as_hashes() {
    let app = App::start().await;
    let (susan, ours) = protected(&app, "susan").await;
    let codes: BTreeSet<_> = ours.recovery_codes.iter().collect();
    assert_eq!(codes.len(), 10);
    for code in &codes {
        let groups: Vec<_> = code.split('-').collect();
        assert!(groups.iter().all(|group| group.len() == 4) && groups.len() == 4);
        let symbols = code.bytes().filter(|c| *c != b'-');
        let crockford = b"0123456789abcdefghjkmnpqrstvwxyz";
        assert!(symbols.clone().all(|c| crockford.contains(&c)), "{code}");
        assert_eq!(symbols.count() * 5, 80);
    }
    let params = app.sql("select params from recovery_sets").await;
    let params = params[0][0].as_ref().unwrap();
    assert!(params.contains("m=64,t=1,p=1"), "{params}");
    let rows = "select string_agg(t::text, ' ') from (select row_to_json(c)::text || row_to_json(s)::text as t \
        from recovery_codes c join recovery_sets s using (user_id)) as all_rows";
    let rows = app.sql(rows).await[0][0].clone().unwrap();
    for path in [
        "/api/me",
        "/api/login-methods",
        "/api/me/events",
        "/api/me/export",
    ] {
        let body = susan.get(path).await.expect(200).body.to_string();
        for code in &codes {
            let bare = code.replace('-', "");
            assert!(
                !body.contains(code.as_str()) && !body.contains(&bare),
                "{path}"
            );
            assert!(!rows.contains(code.as_str()) && !rows.contains(&bare));
        }
        assert!(!body.contains(&ours.secret), "{path}");
    }
}

/// G8.
#[tokio::test]
async fn each_code_opens_one_session_of_twenty_tries_at_once() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    let (_susan, ours) = protected(&app, "susan").await;
    for (round, code) in ours.recovery_codes.iter().enumerate() {
        let mut browsers = Vec::new();
        for n in 0..20 {
            let at = if n % 2 == 0 { &app } else { &sibling };
            browsers.push(halfway(at, "susan").await);
        }
        app.sql("delete from sessions").await;
        let all = at_once(20, async |n| show_recovery(&browsers[n], code).await).await;
        assert_eq!(opened(&all.replies), 1, "round {round}");
        let sessions = app.count("select count(*) from sessions").await;
        assert_eq!(sessions, 1, "round {round}");
        let left = 9 - round;
        for reply in all.replies {
            if reply.status == 200 {
                assert_eq!(reply.body["recovery_codes_left"], left);
                let methods = &reply.body["session"]["methods"];
                assert_eq!(methods, &json!(["password", "recovery_code"]));
            } else {
                reply.refused(401, "invalid_code");
            }
        }
        app.sql("delete from login_steps").await;
    }
    // All are used.
    let last = app.visitor().log_in("susan").await;
    let last = last.refused(401, "second_factor_required");
    assert_eq!(last.body["methods"], json!(["totp"]));
}

/// G8.
#[tokio::test]
async fn new_codes_void_the_old_ones() {
    let app = App::start().await;
    let (susan, ours) = protected(&app, "susan").await;
    let new = susan.post("/api/recovery-codes", json!({})).await;
    let new = texts(&new.expect(201).body["recovery_codes"]);
    assert_eq!(new.len(), 10);
    let browser = halfway(&app, "susan").await;
    let old = show_recovery(&browser, &ours.recovery_codes[0]).await;
    old.refused(401, "invalid_code");
    show_recovery(&browser, &new[0]).await.expect(200);
    // Of many at once, one set counts, and it is whole.
    let all = at_once(6, async |_| {
        susan.post("/api/recovery-codes", json!({})).await
    })
    .await;
    assert_eq!(app.count("select count(*) from recovery_codes").await, 10);
    let mut good = 0;
    for reply in all.replies {
        let codes = texts(&reply.expect(201).body["recovery_codes"]);
        let browser = halfway(&app, "susan").await;
        let shown = show_recovery(&browser, &codes[0]).await;
        good += usize::from(shown.status == 200);
    }
    assert_eq!(good, 1);
}

#[tokio::test]
async fn codes_are_read_as_people_copy_them() {
    let app = App::start().await;
    let (_susan, ours) = protected(&app, "susan").await;
    let written: [fn(&str) -> String; 5] = [
        |code| code.replace('-', ""),
        str::to_uppercase,
        |code| format!("  {}\n", code.replace('-', " ")),
        |code| code.replace('0', "O").replace('1', "l"),
        |code| code.replace('1', "I").replace('-', " - "),
    ];
    for (code, write) in ours.recovery_codes.iter().zip(written) {
        let browser = halfway(&app, "susan").await;
        let text = write(code);
        let reply = show_recovery(&browser, &text).await;
        assert_eq!(reply.status, 200, "{text}");
    }
}

/// G8 and G13.
#[tokio::test]
async fn no_recovery_code_and_no_mailed_link_stands_for_the_other() {
    let (app, smtp) = with_mail(&[]).await;
    let (_susan, ours) = protected(&app, "susan").await;
    let verify = token_for(&smtp, "/verify").await;
    app.sql("update users set email_verified_at = now()").await;
    let code = &ours.recovery_codes[0];
    for token in [
        code.as_str(),
        &code.replace('-', ""),
        &ours.code_of(step_now()),
    ] {
        let form = json!({"token": token, "password": "seven-Boats-under-9-moons"});
        let reset = app.visitor().post("/api/password/reset", form).await;
        assert!(
            [410, 422].contains(&reset.status.as_u16()),
            "{}",
            reset.body
        );
    }
    let asked = json!({"email": "susan@example.com"});
    app.visitor()
        .post("/api/password/forgot", asked)
        .await
        .expect(202);
    let reset = token_for(&smtp, "/reset").await;
    let browser = halfway(&app, "susan").await;
    for token in [&verify, &reset] {
        for (field, status) in [
            ("code", 422),
            ("recovery_code", 422),
            ("token", 422),
            ("credential", 401),
        ] {
            let form = json!({field: token});
            let shown = browser.post("/api/login/second-factor", form).await;
            assert_eq!(shown.status, status, "{field}: {}", shown.body);
        }
    }
}

/// G13.
#[tokio::test]
async fn a_mailbox_gives_a_new_password_and_no_session() {
    let (app, smtp) = with_mail(&[]).await;
    let (_susan, ours) = protected(&app, "susan").await;
    token_for(&smtp, "/verify").await;
    app.sql("update users set email_verified_at = now()").await;
    let asked = json!({"email": "susan@example.com"});
    app.visitor()
        .post("/api/password/forgot", asked)
        .await
        .expect(202);
    let reset = token_for(&smtp, "/reset").await;
    let new = "seven-Boats-under-9-moons";
    let form = json!({"token": reset, "password": new});
    app.visitor()
        .post("/api/password/reset", form)
        .await
        .expect(204);
    let browser = app.visitor();
    let form = json!({"username": "susan", "password": new});
    let asked = browser.post("/api/login", form).await;
    asked.refused(401, "second_factor_required");
    let methods = browser.get("/api/login/step").await.expect(200).body["methods"].clone();
    assert_eq!(methods, json!(["totp", "recovery_code"]));
    show(&browser, &ours.unused_code(&app).await)
        .await
        .expect(200);
    app.visitor()
        .log_in("susan")
        .await
        .refused(401, "invalid_credentials");
}
