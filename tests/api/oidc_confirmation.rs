//! Proving with a provider, inside a session, who one is.

use serde_json::{Value, json};

use crate::oidc::{leave, newcomer, place, somebody, start, susan, with_provider};
use crate::oidc_accounts::link;
use crate::second_factor::{enrol, protected};
use crate::support::provider::{Lies, Provider, file};
use crate::support::{App, Visitor, wait_until};

/// Makes the sessions look as if their users had proven long ago who they are.
pub async fn age(app: &App, visitor: &Visitor) {
    app.sql("update sessions set authenticated_at = now() - interval '1 day'")
        .await;
    let is_stale = async || visitor.get("/api/me/export").await.status == 403;
    wait_until("the session is stale", is_stale).await;
}

#[tokio::test]
async fn whoever_has_no_password_confirms_with_the_provider() {
    let (app, provider, _file) = with_provider(&[]).await;
    let susan_here = newcomer(&app, &provider, "susan").await;
    let session = susan_here.get("/api/me").await.body["session"]["id"].clone();
    age(&app, &susan_here).await;
    let stale = susan_here.get("/api/me/export").await;
    let stale = stale.refused(403, "reauthentication_required");
    assert_eq!(stale.body["methods"], json!(["oidc"]));
    let form = json!({"intent": "reauthenticate", "next": "/account?x=1"});
    let before = app.sql("select key_hash from sessions").await;
    for (auth_time, expected) in [
        // The provider did not ask again.
        (
            json!(1_000_000_000),
            "/account?error=oidc_not_recent&provider=acme",
        ),
        // It does not say.
        (Value::Null, "/account?x=1"),
        (json!("now"), "/account?error=oidc_failed&provider=acme"),
    ] {
        provider.lie(Lies {
            claims: json!({"auth_time": auth_time}),
            ..Lies::default()
        });
        let url = leave(&susan_here, form.clone()).await;
        assert!(
            url.contains("prompt=login") && url.contains("max_age=0"),
            "{url}"
        );
        assert!(url.contains("auth_time"), "{url}");
        let back = susan_here.get(&provider.log_in(&url, susan())).await;
        assert_eq!(place(&back), expected, "{auth_time}");
    }
    susan_here.get("/api/me/export").await.expect(200);
    assert_ne!(app.sql("select key_hash from sessions").await, before);
    assert_eq!(
        susan_here.get("/api/me").await.body["session"]["id"],
        session
    );
}

#[tokio::test]
async fn somebody_else_at_the_provider_confirms_nothing() {
    let (app, provider, _file) = with_provider(&[]).await;
    let susan_here = newcomer(&app, &provider, "susan").await;
    newcomer(&app, &provider, "david").await;
    let form = json!({"intent": "reauthenticate"});
    for other in [somebody("david"), somebody("nobody")] {
        age(&app, &susan_here).await;
        let url = leave(&susan_here, form.clone()).await;
        let back = susan_here.get(&provider.log_in(&url, other)).await;
        assert_eq!(place(&back), "/account?error=oidc_failed&provider=acme");
        susan_here
            .get("/api/me/export")
            .await
            .refused(403, "reauthentication_required");
    }
    start(&app.visitor(), form)
        .await
        .refused(401, "not_authenticated");
}

/// ASVS 6.8.4: a provider that does not say when is believed only where there is nothing better.
#[tokio::test]
async fn whoever_has_a_password_confirms_only_with_a_provider_that_says_when() {
    let (app, provider, _file) = with_provider(&[]).await;
    let david = app.logged_in("david").await;
    link(&david, &provider, susan()).await;
    age(&app, &david).await;
    let stale = david.get("/api/me/export").await;
    assert_eq!(stale.body["methods"], json!(["password", "oidc"]));
    let form = json!({"intent": "reauthenticate"});
    provider.lie(Lies {
        claims: json!({"auth_time": null}),
        ..Lies::default()
    });
    let url = leave(&david, form.clone()).await;
    let back = david.get(&provider.log_in(&url, susan())).await;
    assert_eq!(place(&back), "/account?error=oidc_not_recent&provider=acme");
    provider.lie(Lies::default());
    let url = leave(&david, form).await;
    let back = david.get(&provider.log_in(&url, susan())).await;
    assert_eq!(place(&back), "/account");
    let me = david.get("/api/me").await.body;
    assert_eq!(me["session"]["methods"], json!(["oidc"]));
    david.get("/api/me/export").await.expect(200);
}

#[tokio::test]
async fn where_two_factors_are_needed_one_provider_is_not_enough_to_confirm() {
    for (more, expected) in [
        ("", "/account?error=oidc_not_recent&provider=acme"),
        ("second_factor = \"theirs\"", "/account"),
    ] {
        let provider = Provider::start().await;
        let file = file(&[("acme", &provider, more)]);
        let app = App::with(&[&file.flag]).await;
        let (member, _) = protected(&app, "susan").await;
        link(&member, &provider, susan()).await;
        age(&app, &member).await;
        let methods = member.get("/api/me/export").await.body["methods"].clone();
        let offered = methods.as_array().unwrap().contains(&json!("oidc"));
        assert_eq!(offered, !more.is_empty());
        let url = leave(&member, json!({"intent": "reauthenticate"})).await;
        let back = member.get(&provider.log_in(&url, susan())).await;
        assert_eq!(place(&back), expected);
        let export = member.get("/api/me/export").await;
        assert_eq!(export.status.as_u16() == 200, !more.is_empty());
    }
}

/// Codes are good together with a password only.
#[tokio::test]
async fn whoever_has_no_password_is_not_asked_for_a_code() {
    let (app, provider, _file) = with_provider(&[]).await;
    let susan_here = newcomer(&app, &provider, "susan").await;
    enrol(&susan_here).await;
    age(&app, &susan_here).await;
    let stale = susan_here.get("/api/me/export").await;
    let stale = stale.refused(403, "reauthentication_required");
    assert_eq!(stale.body["methods"], json!([]));
}
