//! Passkeys, many at once: a challenge is good once, and the last way in stays.

use serde_json::json;

use crate::passkeys::{list, remove};
use crate::support::authenticator::Authenticator;
use crate::support::{App, Visitor, at_once};

/// H1.
#[tokio::test]
async fn of_twenty_answers_to_one_challenge_one_counts_over_two_instances() {
    let app = App::start().await;
    let sibling = app.sibling(&[]).await;
    let susan = app.logged_in("susan").await;
    let mut device = susan.add_passkey().await;
    device.counter = None;
    let options = app.visitor().passkey_options("login").await;
    let credential = device.sign(&options);
    let visitors: Vec<_> = (0..20)
        .map(|n| {
            if n % 2 == 0 {
                app.visitor()
            } else {
                sibling.visitor()
            }
        })
        .collect();
    let sent = at_once(20, async |n| visitors[n].send_passkey(&credential).await).await;
    let good = sent.replies.iter().filter(|reply| reply.status == 200);
    assert_eq!(good.count(), 1);
    for reply in sent.replies.into_iter().filter(|reply| reply.status != 200) {
        reply.refused(410, "challenge_expired");
    }
    assert_eq!(app.count("select count(*) from sessions").await, 2);
    assert_eq!(app.count("select count(*) from challenges").await, 0);
}

/// H1.
#[tokio::test]
async fn a_challenge_is_good_for_its_purpose_and_its_session() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let mut device = susan.add_passkey().await;
    device.counter = None;
    let miguel = app.logged_in("miguel").await;

    let options = susan.passkey_options("registration").await;
    let (_, credential) = Authenticator::create(&options);
    miguel
        .register_passkey(&credential)
        .await
        .refused(410, "challenge_expired");
    let other = app.visitor();
    other.log_in("susan").await.expect(200);
    other
        .register_passkey(&credential)
        .await
        .refused(410, "challenge_expired");
    susan.register_passkey(&credential).await.expect(201);
    susan
        .register_passkey(&credential)
        .await
        .refused(410, "challenge_expired");
    for purpose in ["registration", "reauthenticate"] {
        let mut options = susan.passkey_options(purpose).await;
        options["rpId"] = json!("localhost");
        let sent = app.visitor().send_passkey(&device.sign(&options)).await;
        sent.refused(410, "challenge_expired");
    }
}

/// H1.
#[tokio::test]
async fn a_challenge_is_random_and_good_for_ten_minutes_and_one_try() {
    let app = App::start().await;
    let mut device = app.logged_in("susan").await.add_passkey().await;
    device.counter = None;
    let visitor = app.visitor();
    let options = visitor.passkey_options("login").await;
    let left = "select min(extract(epoch from expires_at - created_at))::int from challenges";
    assert_eq!(app.count(left).await, 600);
    app.sql("update challenges set expires_at = now() - interval '1 second'")
        .await;
    visitor
        .send_passkey(&device.sign(&options))
        .await
        .refused(410, "challenge_expired");
    // A refusal uses it up, too.
    let options = visitor.passkey_options("login").await;
    let lied = device.sign_lying(&options, |said| said.user_verified = false);
    visitor
        .send_passkey(&lied)
        .await
        .refused(401, "invalid_passkey");
    visitor
        .send_passkey(&device.sign(&options))
        .await
        .refused(410, "challenge_expired");
    let one = visitor.passkey_options("login").await["challenge"].clone();
    let other = visitor.passkey_options("login").await["challenge"].clone();
    assert_ne!(one, other);
}

/// H7.
#[tokio::test]
async fn of_eleven_registrations_at_once_ten_make_it() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let mut made = Vec::new();
    for _ in 0..11 {
        let options = susan.passkey_options("registration").await;
        made.push(Authenticator::create(&options).1);
    }
    let sent = at_once(11, async |n| susan.register_passkey(&made[n]).await).await;
    let (good, bad): (Vec<_>, Vec<_>) = sent
        .replies
        .into_iter()
        .partition(|reply| reply.status == 201);
    assert_eq!(good.len(), 10);
    bad.into_iter()
        .for_each(|reply| drop(reply.refused(409, "limit_reached")));
    assert_eq!(list(&susan).await["passkeys"].as_array().unwrap().len(), 10);
    let refused = susan
        .post("/api/passkeys/registration/options", json!({}))
        .await;
    refused.refused(409, "limit_reached");
}

/// H7.
#[tokio::test]
async fn a_credential_belongs_to_one_account() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let device = susan.add_passkey().await;
    let mut others = Vec::new();
    for name in ["miguel", "chiara", "susan"] {
        let visitor = match name {
            "susan" => susan.at(app.address),
            name => app.logged_in(name).await,
        };
        let options = visitor.passkey_options("registration").await;
        let (_, again) = Authenticator::create_lying(&options, |_, said| {
            said.credential_id.clone_from(&device.credential_id);
        });
        visitor
            .register_passkey(&again)
            .await
            .refused(409, "passkey_exists");
        others.push(visitor);
    }
    let mut made = Vec::new();
    for visitor in &others {
        let options = visitor.passkey_options("registration").await;
        let same = |_: &mut Authenticator, said: &mut crate::support::authenticator::Said| {
            said.credential_id = vec![7; 16];
        };
        made.push(Authenticator::create_lying(&options, same).1);
    }
    let sent = at_once(3, async |n| others[n].register_passkey(&made[n]).await).await;
    let mut statuses: Vec<_> = sent
        .replies
        .iter()
        .map(|reply| reply.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
}

/// Removes all at once, and returns how many went and what the others were told.
async fn remove_at_once(visitor: &Visitor) -> (usize, Vec<String>) {
    let passkeys = list(visitor).await["passkeys"].clone();
    let count = passkeys.as_array().unwrap().len();
    let sent = at_once(count, async |n| remove(visitor, &passkeys[n]["id"]).await).await;
    let (gone, kept): (Vec<_>, Vec<_>) = sent
        .replies
        .into_iter()
        .partition(|reply| reply.status == 200);
    let codes = kept.iter().map(|reply| {
        assert_eq!(reply.status, 409, "{}", reply.body);
        reply.body["code"].as_str().unwrap().to_owned()
    });
    (gone.len(), codes.collect())
}

/// H9.
#[tokio::test]
async fn the_last_way_in_stays_even_if_all_go_at_once() {
    let app = App::start().await;
    for round in 0..5 {
        let susan = app.logged_in(&format!("susan{round}")).await;
        susan.add_passkey().await;
        let mut device = susan.add_passkey().await;
        app.sql("update users set password_hash = null, rehashed_at = now()")
            .await;
        assert_eq!(
            remove_at_once(&susan).await,
            (1, vec!["last_login_method".to_owned()])
        );
        let id = list(&susan).await["passkeys"][0]["id"].clone();
        remove(&susan, &id).await.refused(409, "last_login_method");
        // One of another domain lets nobody in.
        app.sql("update passkeys set rp_id = 'old.example' where last_used_at is null")
            .await;
        remove(&susan, &id).await.expect(200);
        device.counter = None;
    }
}

/// H9.
#[tokio::test]
async fn the_last_second_factor_stays_even_if_all_go_at_once() {
    let app = App::start().await;
    for round in 0..5 {
        let name = format!("susan{round}");
        let susan = app.logged_in(&name).await;
        susan.add_passkey().await;
        let mut device = susan.add_passkey().await;
        susan
            .post("/api/second-factor", json!({}))
            .await
            .expect(200);
        let options = susan.passkey_options("reauthenticate").await;
        let again = json!({"credential": device.sign(&options)});
        susan.post("/api/reauthenticate", again).await.expect(200);
        assert_eq!(
            remove_at_once(&susan).await,
            (1, vec!["last_second_factor".to_owned()])
        );
        crate::support::send(susan.request(reqwest::Method::DELETE, "/api/second-factor"))
            .await
            .expect(200);
        assert_eq!(remove_at_once(&susan).await, (1, Vec::new()));
    }
}
