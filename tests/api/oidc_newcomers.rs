//! People whom a provider knows without a proven address: between their first visit and the proof.

use serde_json::{Value, json};

use crate::oidc::{choose, in_vain, newcomer, place, travel, with_provider};
use crate::oidc_accounts::link;
use crate::operator::told;
use crate::outbox::forgot;
use crate::second_factor_recovery::token_for;
use crate::support::provider::{Lies, Provider, Trouble, file};
use crate::support::smtp::Smtp;
use crate::support::{App, Visitor, at_once};

/// Without an address, as Microsoft sends people.
fn nameless(subject: &str) -> Value {
    json!({"sub": subject})
}

/// Has chosen this name and typed this address.
async fn registered(app: &App, provider: &Provider, name: &str) -> Visitor {
    let visitor = app.visitor();
    travel(&visitor, provider, nameless(name)).await;
    let form = json!({"username": name, "email": format!("{name}@example.com")});
    choose(&visitor, form).await.expect(202);
    visitor
}

#[tokio::test]
async fn of_two_tabs_one_chooses_the_name() {
    let (app, provider, _file) = with_provider(&[]).await;
    for round in 0..10 {
        for proven in [false, true] {
            let mut person = nameless(&format!("{round} {proven}"));
            if proven {
                person["email"] = json!(format!("susan{round}@acme.example"));
                person["email_verified"] = json!(true);
            }
            let mut tabs = Vec::new();
            for _ in 0..3 {
                let tab = app.visitor();
                travel(&tab, &provider, person.clone()).await;
                tabs.push(tab);
            }
            let tabs = &tabs;
            let chosen = at_once(3, async |n| {
                let mut form = json!({"username": format!("s{round}-{n}-{proven}")});
                if !proven {
                    form["email"] = json!(format!("s{round}-{n}@example.com"));
                }
                choose(&tabs[n], form).await
            });
            let chosen = chosen.await.replies;
            let statuses: Vec<_> = chosen.iter().map(|it| it.status.as_u16()).collect();
            let good = statuses.iter().filter(|it| [200, 202].contains(*it));
            assert_eq!(good.count(), 1, "{statuses:?}");
            assert!(statuses.iter().all(|it| [200, 202, 410].contains(it)));
        }
    }
    let steps = "select count(*) from login_steps where kind = 'choose_username'";
    assert_eq!(app.count(steps).await, 0, "nothing of them is kept");
}

/// I11.
#[tokio::test]
async fn an_account_that_was_disabled_before_its_proof_stays_so() {
    let (app, provider, _file) = with_provider(&[]).await;
    let visitor = registered(&app, &provider, "susan").await;
    told(&app, &["users", "disable", "susan"]);
    let back = travel(&visitor, &provider, nameless("susan")).await;
    in_vain(&back, "account_disabled");
    assert_eq!(app.count("select count(*) from users").await, 1);
}

#[tokio::test]
async fn whoever_never_proved_an_address_can_connect_the_account_instead() {
    let (app, provider, _file) = with_provider(&[]).await;
    registered(&app, &provider, "susan").await;
    let david = app.logged_in("david").await;
    let place = link(&david, &provider, nameless("susan")).await;
    assert_eq!(place, "/account?linked=acme");
    assert_eq!(app.count("select count(*) from users").await, 1);
}

/// A click in a mail verifies the address. Who came by the provider may be a stranger all the same.
#[tokio::test]
async fn a_reset_ends_what_was_connected_before_the_address_was_proven() {
    let (provider, smtp) = (Provider::start().await, Smtp::start().await);
    let file = file(&[("acme", &provider, "")]);
    let flags = [&*file.flag, "--require-verified-email=on"];
    let app = App::with_mail(&smtp, &flags).await;
    registered(&app, &provider, "susan").await;
    let token = smtp.mail_to("susan@example.com").await.token();
    let form = json!({"token": token});
    app.visitor()
        .post("/api/email/verify", form)
        .await
        .expect(204);
    let stranger = app.visitor();
    travel(&stranger, &provider, nameless("susan")).await;
    assert!(stranger.is_logged_in().await);
    forgot(&app.visitor(), "susan@example.com").await;
    let form =
        json!({"token": token_for(&smtp, "/reset").await, "password": "seven-Boats-under-9-moons"});
    app.visitor()
        .post("/api/password/reset", form)
        .await
        .expect(204);
    assert_eq!(app.count("select count(*) from identities").await, 0);
    let told = smtp.wait_for(4).await;
    let mut subjects = told.iter().map(|mail| mail.header("Subject").unwrap());
    assert!(subjects.any(|subject| subject.starts_with("Way to log in removed")));
    let back = travel(&stranger, &provider, nameless("susan")).await;
    assert_eq!(place(&back), "/register?step=choose_username");

    // An address that the provider has proven was proven with it.
    newcomer(&app, &provider, "david").await;
    forgot(&app.visitor(), "david@acme.example").await;
    let token = smtp.mail_to("david@acme.example").await.token();
    let form = json!({"token": token, "password": "seven-Boats-under-9-moons"});
    app.visitor()
        .post("/api/password/reset", form)
        .await
        .expect(204);
    assert_eq!(app.count("select count(*) from identities").await, 1);
}

#[tokio::test]
async fn userinfo_matters_only_to_newcomers() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    let known = json!({"sub": "susan-at-acme"});
    for trouble in [
        Trouble::Silent,
        Trouble::Status(404),
        Trouble::Says("{".to_owned()),
    ] {
        provider.lie(Lies {
            trouble: Some(("/userinfo", trouble)),
            userinfo: json!({}),
            ..Lies::default()
        });
        let back = travel(&app.visitor(), &provider, known.clone()).await;
        assert_eq!(place(&back), "/");
    }
    assert_eq!(provider.asked("/userinfo"), 0);
    // The last of these answers is none, so a newcomer types an address.
    let app = App::with(&[&file(&[("acme", &provider, "")]).flag]).await;
    let visitor = app.visitor();
    let back = travel(&visitor, &provider, nameless("david")).await;
    assert_eq!(place(&back), "/register?step=choose_username");
    assert_eq!(provider.asked("/userinfo"), 1);
}
