//! Providers that are dead, slow, endless or elsewhere, and what that does to everybody else.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::oidc::{in_vain, leave, newcomer, place, start, susan, travel, with_provider};
use crate::support::provider::{Lies, Provider, Trouble, file};
use crate::support::{App, PASSWORD};

/// The limit of five seconds, and a busy machine.
const SOON: Duration = Duration::from_secs(9);

fn troubles() -> Vec<Trouble> {
    vec![
        Trouble::Silent,
        Trouble::Slow,
        Trouble::Endless,
        Trouble::Redirect("http://169.254.169.254/latest/meta-data".to_owned()),
        Trouble::Status(500),
    ]
}

fn with(path: &'static str, trouble: Trouble) -> Lies {
    Lies {
        trouble: Some((path, trouble)),
        ..Lies::default()
    }
}

/// I10.
#[tokio::test]
async fn a_provider_whose_metadata_cannot_be_read_is_not_available() {
    let mut more = troubles();
    more.extend([
        Trouble::Status(404),
        Trouble::Says("{".to_owned()),
        Trouble::Says("[]".to_owned()),
        Trouble::Says("null".to_owned()),
    ]);
    for path in ["/.well-known/openid-configuration", "/jwks"] {
        let tried = more.iter().map(async |trouble| {
            let (app, provider, _file) = with_provider(&[]).await;
            provider.lie(with(path, trouble.clone()));
            let began = Instant::now();
            let form = json!({"intent": "login"});
            let refused = start(&app.visitor(), form).await;
            let refused = refused.refused(503, "provider_unavailable");
            assert!(began.elapsed() < SOON);
            assert_eq!(refused.header("retry-after"), "5");
        });
        join_all(tried).await;
    }
    let (app, provider, _file) = with_provider(&[]).await;
    provider.die();
    let form = json!({"intent": "login"});
    start(&app.visitor(), form)
        .await
        .refused(503, "provider_unavailable");
}

/// Metadata that would send people or us somewhere else.
#[tokio::test]
async fn metadata_that_leads_elsewhere_is_refused() {
    for metadata in [
        json!({"issuer": "https://accounts.google.com"}),
        json!({"issuer": null}),
        json!({"authorization_endpoint": "javascript:alert(1)"}),
        json!({"authorization_endpoint": "http://evil.example/"}),
        json!({"authorization_endpoint": null}),
        json!({"jwks_uri": "http://169.254.169.254/"}),
        json!({"jwks_uri": "file:///etc/passwd"}),
        json!({"token_endpoint": null}),
    ] {
        let (app, provider, _file) = with_provider(&[]).await;
        provider.lie(Lies {
            metadata,
            ..Lies::default()
        });
        let form = json!({"intent": "login"});
        start(&app.visitor(), form)
            .await
            .refused(503, "provider_unavailable");
    }
    let (app, provider, _file) = with_provider(&[]).await;
    provider.lie(Lies {
        metadata: json!({"token_endpoint": "http://169.254.169.254/token"}),
        ..Lies::default()
    });
    in_vain(
        &travel(&app.visitor(), &provider, susan()).await,
        "oidc_unavailable",
    );
}

/// I10.
#[tokio::test]
async fn trouble_on_the_way_back_ends_in_time() {
    for path in ["/token", "/userinfo"] {
        let tried = troubles().into_iter().map(async |trouble| {
            let (app, provider, _file) = with_provider(&[]).await;
            provider.lie(Lies {
                userinfo: json!({}),
                ..with(path, trouble)
            });
            let began = Instant::now();
            let back = travel(&app.visitor(), &provider, json!({"sub": "1"})).await;
            in_vain(&back, "oidc_unavailable");
            assert!(began.elapsed() < SOON);
        });
        join_all(tried).await;
    }
    for says in [
        "",
        "{",
        "{}",
        r#"{"access_token":"a","token_type":"bearer"}"#,
        r#"{"access_token":"a","token_type":"bearer","id_token":"x.y.z"}"#,
    ] {
        let (app, provider, _file) = with_provider(&[]).await;
        provider.lie(with("/token", Trouble::Says(says.to_owned())));
        in_vain(
            &travel(&app.visitor(), &provider, susan()).await,
            "oidc_failed",
        );
    }
    let (app, provider, _file) = with_provider(&[]).await;
    let says = r#"{"access_token":"a\nb","token_type":"bearer"}"#;
    provider.lie(with("/token", Trouble::Says(says.to_owned())));
    in_vain(
        &travel(&app.visitor(), &provider, susan()).await,
        "oidc_failed",
    );
}

/// I10: those who log in with a password notice nothing.
#[tokio::test]
async fn a_silent_provider_harms_nobody_else() {
    let (silent, good) = (Provider::start().await, Provider::start().await);
    let file = file(&[("acme", &silent, ""), ("good", &good, "")]);
    let app = App::with(&[&file.flag]).await;
    app.registered("david").await;
    silent.lie(with("/.well-known/openid-configuration", Trouble::Silent));
    let waiting = join_all((0..40).map(async |_| {
        let began = Instant::now();
        let form = json!({"intent": "login"});
        start(&app.visitor(), form)
            .await
            .refused(503, "provider_unavailable");
        assert!(began.elapsed() < SOON);
    }));
    let others = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        for _ in 0..10 {
            let david = app.visitor();
            let form = json!({"username": "david", "password": PASSWORD});
            david.post("/api/login", form).await.expect(200);
        }
        let form = json!({"intent": "login"});
        let begun = app.visitor().post("/api/oidc/good/start", form).await;
        begun.expect(200);
        began.elapsed()
    };
    let (_, took) = tokio::join!(waiting, others);
    assert!(took < Duration::from_secs(4), "{took:?}");
    // One asked, and the others waited for its answer.
    assert!(silent.asked("/.well-known/openid-configuration") <= 2);
}

#[tokio::test]
async fn metadata_and_keys_are_asked_for_once_and_new_keys_are_found() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    for _ in 0..3 {
        assert_eq!(
            place(&travel(&app.visitor(), &provider, susan()).await),
            "/"
        );
    }
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 1);
    assert_eq!(provider.asked("/jwks"), 1);
    provider.change_key();
    for _ in 0..2 {
        assert_eq!(
            place(&travel(&app.visitor(), &provider, susan()).await),
            "/"
        );
    }
    assert_eq!(provider.asked("/jwks"), 2);
    provider.change_key();
    // At most once a minute, whatever comes.
    for _ in 0..2 {
        let back = travel(&app.visitor(), &provider, susan()).await;
        in_vain(&back, "oidc_failed");
    }
    assert_eq!(provider.asked("/jwks"), 2);
}

/// One asks for the keys, and the others use them.
#[tokio::test]
async fn many_at_once_find_new_keys() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    provider.change_key();
    let came = join_all((0..8).map(async |_| travel(&app.visitor(), &provider, susan()).await));
    for back in came.await {
        assert_eq!(place(&back), "/");
    }
    assert_eq!(provider.asked("/jwks"), 2);
}

/// Nobody is told that they did something wrong.
#[tokio::test]
async fn while_new_keys_cannot_be_read_the_provider_is_not_available() {
    let (app, provider, _file) = with_provider(&[]).await;
    newcomer(&app, &provider, "susan").await;
    provider.change_key();
    provider.lie(with("/jwks", Trouble::Status(500)));
    let came = join_all((0..4).map(async |_| travel(&app.visitor(), &provider, susan()).await));
    for back in came.await {
        in_vain(&back, "oidc_unavailable");
    }
    assert_eq!(provider.asked("/jwks"), 2);
}

#[tokio::test]
async fn a_provider_comes_back() {
    let (app, provider, _file) = with_provider(&[]).await;
    provider.lie(with(
        "/.well-known/openid-configuration",
        Trouble::Status(500),
    ));
    let form = json!({"intent": "login"});
    start(&app.visitor(), form.clone())
        .await
        .refused(503, "provider_unavailable");
    provider.lie(Lies::default());
    start(&app.visitor(), form)
        .await
        .refused(503, "provider_unavailable");
    tokio::time::sleep(Duration::from_millis(5100)).await;
    leave(&app.visitor(), json!({"intent": "login"})).await;
}

#[tokio::test]
async fn one_address_goes_and_comes_thirty_times_a_minute() {
    let (app, provider, _file) = with_provider(&["--rate-limits=on"]).await;
    let visitor = app.visitor();
    let mut last = String::new();
    for _ in 0..15 {
        last = leave(&visitor, json!({"intent": "login"})).await;
        visitor.get("/api/oidc/acme/callback?state=x").await;
    }
    start(&visitor, json!({"intent": "login"}))
        .await
        .refused(429, "rate_limited");
    let back = visitor.get(&provider.log_in(&last, susan())).await;
    in_vain(&back, "oidc_unavailable");
    // It was not used up.
    app.sql("delete from rate_limits").await;
    assert_eq!(
        place(&visitor.get(&provider.log_in(&last, susan())).await),
        "/register?step=choose_username"
    );
}
