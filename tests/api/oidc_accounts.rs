//! Connecting accounts at providers to one's own, and proving with them who one is.

use reqwest::Method;
use serde_json::{Value, json};

use crate::oidc::{
    choose, in_vain, leave, newcomer, place, somebody, start, susan, travel, with_provider,
};
use crate::oidc_confirmation::age;
use crate::operator::told;
use crate::support::provider::{Provider, file};
use crate::support::smtp::Smtp;
use crate::support::{App, PASSWORD, Visitor, at_once, send, wait_until};

/// Goes to the provider to connect this person's account there. Returns the page that the browser comes back to.
pub async fn link(visitor: &Visitor, provider: &Provider, person: Value) -> String {
    let url = leave(visitor, json!({"intent": "link"})).await;
    place(&visitor.get(&provider.log_in(&url, person)).await)
}

async fn identities(visitor: &Visitor) -> Vec<Value> {
    let all = visitor.get("/api/identities").await.expect(200).body;
    all.as_array().unwrap().clone()
}

#[tokio::test]
async fn an_account_is_connected_whatever_its_address_and_can_be_taken_away() {
    let (app, provider, _file) = with_provider(&[]).await;
    let david = app.logged_in("david").await;
    assert_eq!(identities(&david).await, Vec::<Value>::new());
    assert_eq!(
        link(&david, &provider, susan()).await,
        "/account?linked=acme"
    );
    assert_eq!(
        link(&david, &provider, susan()).await,
        "/account?linked=acme"
    );
    let all = identities(&david).await;
    assert_eq!(all.len(), 1);
    let one = &all[0];
    assert_eq!(
        (&one["provider"], &one["label"]),
        (&json!("acme"), &json!("The acme"))
    );
    assert_eq!(one["email"], "susan@acme.example");
    let elsewhere = app.visitor();
    assert_eq!(place(&travel(&elsewhere, &provider, susan()).await), "/");
    assert_eq!(elsewhere.get("/api/me").await.body["username"], "david");
    let path = format!("/api/identities/{}", one["id"].as_str().unwrap());
    david.delete(&path).await.expect(204);
    david.delete(&path).await.refused(404, "item_not_found");
    david
        .delete("/api/identities/x")
        .await
        .refused(404, "item_not_found");
    assert!(!elsewhere.is_logged_in().await);
    assert!(david.is_logged_in().await);
    let back = travel(&app.visitor(), &provider, susan()).await;
    assert_eq!(place(&back), "/register?step=choose_username");
    let events = david.get("/api/me/events").await.body["events"].clone();
    let kinds: Vec<_> = events.as_array().unwrap().iter().collect();
    let details =
        |kind: &str| kinds.iter().find(|event| event["kind"] == kind).unwrap()["details"].clone();
    assert_eq!(details("identity_linked"), json!({"provider": "acme"}));
    assert_eq!(details("identity_unlinked"), json!({"provider": "acme"}));
}

/// I6.
#[tokio::test]
async fn connecting_needs_a_recent_proof_in_the_session_that_asked() {
    let (app, provider, _file) = with_provider(&[]).await;
    let link_form = json!({"intent": "link"});
    start(&app.visitor(), link_form.clone())
        .await
        .refused(401, "not_authenticated");
    let david = app.logged_in("david").await;
    start(&david, json!({"intent": "login"}))
        .await
        .refused(409, "already_authenticated");
    let url = leave(&david, link_form.clone()).await;
    let back = provider.log_in(&url, susan());
    age(&app, &david).await;
    let stale = start(&david, link_form.clone()).await;
    let stale = stale.refused(403, "reauthentication_required");
    assert_eq!(stale.body["methods"], json!(["password"]));
    let unknown = david
        .post("/api/oidc/nobody/start", link_form.clone())
        .await;
    unknown.refused(403, "reauthentication_required");
    let path = "/api/identities/00000000-0000-4000-8000-000000000000";
    david
        .delete(path)
        .await
        .refused(403, "reauthentication_required");

    // Another session of the same browser.
    david.log_out().await;
    david.log_in("david").await.expect(200);
    let reply = david.get(&back).await;
    assert_eq!(place(&reply), "/account?error=oidc_expired&provider=acme");
    assert!(identities(&david).await.is_empty());

    // Logged out meanwhile.
    let url = leave(&david, link_form).await;
    let back = provider.log_in(&url, susan());
    david.log_out().await;
    in_vain(&david.get(&back).await, "oidc_expired");
    assert_eq!(app.count("select count(*) from identities").await, 0);
}

/// I6.
#[tokio::test]
async fn an_identity_belongs_to_one_user() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    let david = app.logged_in("david").await;
    let taken = link(&david, &provider, susan()).await;
    assert_eq!(taken, "/account?error=oidc_identity_in_use&provider=acme");
    for round in 0..10 {
        let person = somebody(&format!("person{round}"));
        let mut ways = Vec::new();
        for name in ["a", "b", "c"] {
            let visitor = app.logged_in(&format!("{name}-{round}")).await;
            let url = leave(&visitor, json!({"intent": "link"})).await;
            let way = provider.log_in(&url, person.clone());
            ways.push((visitor, way));
        }
        let ways = &ways;
        let came = at_once(3, async |n| ways[n].0.get(&ways[n].1).await).await;
        let places: Vec<_> = came.replies.iter().map(place).collect();
        let linked = places.iter().filter(|place| place.contains("linked=acme"));
        assert_eq!(linked.count(), 1, "{places:?}");
        let refused = places
            .iter()
            .filter(|place| place.contains("oidc_identity_in_use"));
        assert_eq!(refused.count(), 2, "{places:?}");
    }
}

/// I6, H9.
#[tokio::test]
async fn the_last_way_in_stays_also_when_two_go_at_once() {
    let (acme, other) = (Provider::start().await, Provider::start().await);
    let file = file(&[("acme", &acme, ""), ("other", &other, "")]);
    let app = App::with(&[&file.flag]).await;
    for round in 0..10 {
        let name = format!("susan{round}");
        let visitor = newcomer(&app, &acme, &name).await;
        let begun = visitor
            .post("/api/oidc/other/start", json!({"intent": "link"}))
            .await;
        let url = begun.body["authorization_url"].as_str().unwrap().to_owned();
        let back = visitor.get(&other.log_in(&url, somebody(&name))).await;
        assert_eq!(place(&back), "/account?linked=other");
        let paths: Vec<_> = identities(&visitor)
            .await
            .iter()
            .map(|one| format!("/api/identities/{}", one["id"].as_str().unwrap()))
            .collect();
        let (visitor, paths) = (&visitor, &paths);
        let gone = at_once(2, async |n| visitor.delete(&paths[n]).await).await;
        let mut statuses: Vec<_> = gone
            .replies
            .iter()
            .map(|reply| reply.status.as_u16())
            .collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        assert_eq!(identities(visitor).await.len(), 1);
    }
    // A provider that the settings no longer have is no way in.
    let visitor = newcomer(&app, &acme, "david").await;
    let begun = visitor
        .post("/api/oidc/other/start", json!({"intent": "link"}))
        .await;
    let url = begun.body["authorization_url"].as_str().unwrap().to_owned();
    visitor.get(&other.log_in(&url, somebody("david"))).await;
    let less = crate::support::provider::file(&[("acme", &acme, "")]);
    let sibling = app.sibling(&[&less.flag]).await;
    let there = visitor.at(sibling.address);
    let all = identities(&there).await;
    assert_eq!(all[1]["label"], "other");
    let path = |one: &Value| format!("/api/identities/{}", one["id"].as_str().unwrap());
    there
        .delete(&path(&all[0]))
        .await
        .refused(409, "last_login_method");
    there.delete(&path(&all[1])).await.expect(204);
    assert_eq!(
        there.get("/api/login-methods").await.body["identities"],
        json!(["acme"])
    );
}

/// I5.
#[tokio::test]
async fn the_same_address_never_connects_two_accounts() {
    let (app, provider, _file) = with_provider(&[]).await;
    let david = app.logged_in("david").await;
    app.sql("update users set email_verified_at = now()").await;
    for (verified, expected) in [
        (json!(true), "/login?error=oidc_email_in_use&provider=acme"),
        (json!(false), "/register?step=choose_username"),
        (Value::Null, "/register?step=choose_username"),
        (json!("true"), "/login?error=oidc_failed&provider=acme"),
        (json!(1), "/login?error=oidc_failed&provider=acme"),
    ] {
        let mut person = json!({"sub": "david", "email": "David@example.com"});
        if !verified.is_null() {
            person["email_verified"] = verified.clone();
        }
        let visitor = app.visitor();
        let back = travel(&visitor, &provider, person).await;
        assert_eq!(place(&back), expected, "{verified}");
        assert!(!visitor.is_logged_in().await);
    }
    assert!(identities(&david).await.is_empty());

    // Taken between the provider and the name.
    let visitor = app.visitor();
    travel(&visitor, &provider, susan()).await;
    let form = json!({"username": "other", "email": "susan@acme.example", "password": PASSWORD});
    app.visitor().post("/api/register", form).await.expect(201);
    let taken = choose(&visitor, json!({"username": "susan"})).await;
    let taken = taken.refused(422, "validation_failed");
    assert_eq!(crate::support::field_codes(&taken.body), ["email: taken"]);
}

/// A notice tells of each change, and takes a new connection back.
#[tokio::test]
async fn notices_tell_of_connections_and_take_them_back() {
    let (provider, smtp) = (Provider::start().await, Smtp::start().await);
    let file = file(&[("acme", &provider, "")]);
    let app = App::with_mail(&smtp, &[&file.flag]).await;
    let david = app.logged_in("david").await;
    smtp.wait_for(1).await;
    app.sql("update users set email_verified_at = now()").await;
    link(&david, &provider, susan()).await;
    let mails = smtp.wait_for(2).await;
    assert!(
        mails[1]
            .header("Subject")
            .unwrap()
            .starts_with("New way to log in")
    );
    let token = mails[1].token();
    link(&david, &provider, somebody("second")).await;
    smtp.wait_for(3).await;
    let one = identities(&david).await[1]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    david
        .delete(&format!("/api/identities/{one}"))
        .await
        .expect(204);
    let mails = smtp.wait_for(4).await;
    assert!(
        mails[3]
            .header("Subject")
            .unwrap()
            .starts_with("Way to log in removed")
    );
    let thief = app.visitor();
    travel(&thief, &provider, susan()).await;
    assert!(thief.is_logged_in().await);
    let undone = app
        .visitor()
        .post("/api/account/not-me", json!({"token": token}))
        .await;
    undone.expect(204);
    assert_eq!(app.count("select count(*) from identities").await, 0);
    wait_until("the thief is out", async || !thief.is_logged_in().await).await;
}

/// Whoever proves a mailbox for the first time is not bound to what a stranger added before.
#[tokio::test]
async fn a_first_reset_removes_what_was_connected_before() {
    let smtp = Smtp::start().await;
    let provider = Provider::start().await;
    let file = file(&[("acme", &provider, "")]);
    let app = App::with_mail(&smtp, &[&file.flag]).await;
    let stranger = app.logged_in("david").await;
    smtp.wait_for(1).await;
    link(&stranger, &provider, susan()).await;
    crate::outbox::forgot(&app.visitor(), "david@example.com").await;
    let reset = crate::second_factor_recovery::token_for(&smtp, "/reset").await;
    let form = json!({"token": reset, "password": "seven-Boats-under-9-moons"});
    app.visitor()
        .post("/api/password/reset", form)
        .await
        .expect(204);
    assert_eq!(app.count("select count(*) from identities").await, 0);
}

#[tokio::test]
async fn exports_and_administrators_see_what_is_connected() {
    let (app, provider, _file) = with_provider(&[]).await;
    let david = app.logged_in("david").await;
    link(&david, &provider, susan()).await;
    let export = david.get("/api/me/export").await.expect(200).body;
    let exported = &export["identities"][0];
    assert_eq!(exported["issuer"], provider.issuer.as_str());
    assert_eq!(exported["subject"], "susan-at-acme");
    assert_eq!(exported["email"], "susan@acme.example");
    told(&app, &["users", "grant", "david", "admin"]);
    let admin = app.visitor();
    admin.log_in("david").await.expect(200);
    let users = admin.get("/api/admin/users?q=david").await.expect(200).body;
    assert_eq!(users["users"][0]["identities"], json!(["acme"]));
}

/// H9 beside a provider: a passkey may go if there is another way in. G1's other half: no passkey, no password, one
/// provider.
#[tokio::test]
async fn a_deleted_account_leaves_nothing_behind() {
    let (app, provider, _file) = with_provider(&[]).await;
    let visitor = newcomer(&app, &provider, "susan").await;
    let gone = visitor
        .request(Method::DELETE, "/api/me")
        .json(&json!({"username": "susan"}));
    send(gone).await.expect(204);
    assert_eq!(app.count("select count(*) from identities").await, 0);
    let back = travel(&app.visitor(), &provider, susan()).await;
    assert_eq!(place(&back), "/register?step=choose_username");
    in_vain(
        &app.visitor().get("/api/oidc/acme/callback?error=x").await,
        "oidc_failed",
    );
}

/// F12: what is old stays, however the address was proven since.
#[tokio::test]
async fn an_old_connection_survives_not_me_and_a_reset() {
    let (provider, smtp) = (Provider::start().await, Smtp::start().await);
    let file = file(&[("acme", &provider, "")]);
    let app = App::with_mail(&smtp, &[&file.flag]).await;
    let david = app.logged_in("david").await;
    let verify = smtp.wait_for(1).await[0].token();
    link(&david, &provider, susan()).await;
    let proven = david.post("/api/email/verify", json!({"token": verify}));
    proven.await.expect(204);
    app.sql("update identities set created_at = now() - interval '1 year'")
        .await;
    link(&david, &provider, somebody("second")).await;
    let notice = smtp.wait_for(3).await[2].token();
    let undone = json!({"token": notice});
    let visitor = app.visitor();
    visitor
        .post("/api/account/not-me", undone)
        .await
        .expect(204);
    let reset = smtp.wait_for(4).await[3].token();
    let form = json!({"token": reset, "password": "seven-Boats-under-9-moons"});
    visitor.post("/api/password/reset", form).await.expect(204);
    let kept = "select count(*) from identities where subject = 'susan-at-acme'";
    assert_eq!(app.count(kept).await, 1);
    assert_eq!(app.count("select count(*) from identities").await, 1);
}
