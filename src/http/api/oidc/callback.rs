//! Coming back from a provider: the one place where the API answers with a redirect.

use std::sync::Arc;

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, rt};
use url::Url;

use crate::auth::oidc::callback::{self, Answer, Met, Return};
use crate::auth::oidc::failure::Failure;
use crate::auth::oidc::flow::Intent;
use crate::auth::oidc::outcome::Outcome;
use crate::auth::oidc::provider::Provider;
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::pages::Page;
use crate::http::session::browser::Browser;
use crate::http::session::guards::AnyVisitor;
use crate::http::site::Site;
use crate::http::wire::code::Code;
use crate::http::wire::query::{Query, Twice};

/// Come back from a provider.
///
/// Only browsers come here, sent by the provider. They go on to a page of the app: where the login leads; the login with
/// `step=second_factor`, or the registration with `step=choose_username` (GET /api/login/step says more); the account with
/// `linked`; or, if it failed, the login or the account with `error`, one of the codes of status 303 in GET /api/errors,
/// registration_closed, account_disabled or email_not_verified, and `provider`.
#[utoipa::path(tag = "providers",
    params(
        ("provider" = String, Path, description = "Its name in GET /api/config."),
        ("state" = Option<String>, Query, description = "What we sent there."),
        ("code" = Option<String>, Query, description = "For the tokens."),
        ("iss" = Option<String>, Query, description = "Who answers (RFC 9207)."),
        ("error" = Option<String>, Query, description = "Why there is no code."),
    ),
    responses((status = 303, description = "On to a page of the app.", headers(
        ("Location" = String, description = "The page."),
        ("Set-Cookie" = String, description = "The session, or the step."),
    ))),
)]
#[get("/oidc/{provider}/callback")]
pub async fn oidc_callback(
    request: HttpRequest,
    services: Data<Services>,
    site: Data<Site>,
    AnyVisitor(visit): AnyVisitor,
    path: Path<String>,
    client: Client,
    browser: Browser,
) -> HttpResponse {
    let visit = visit.as_ref();
    let Some(provider) = services.providers.named(&path).cloned() else {
        let nothing = Failure::failed("no such provider");
        return see(failed(&site, None, visit, &nothing));
    };
    let back = match parse(&Query::of(request.query_string())) {
        Ok(answer) => {
            let key = site.cookies.provider_key(request.headers());
            let met = callback::meet(&services, &provider, answer, key, visit, &client).await;
            finish(services, provider.clone(), met, visit.cloned(), client).await
        }
        Err(failure) => Return {
            intent: None,
            outcome: Err(failure),
        },
    };
    let name = provider.entry.name.as_str();
    see(match back.outcome {
        Ok(outcome) => arrive(&site, outcome, name, &browser),
        Err(failure) => {
            let mut place = failed(&site, back.intent, visit, &failure);
            place.query_pairs_mut().append_pair("provider", name);
            place
        }
    })
}

/// Finished even if the browser goes away.
async fn finish(
    services: Data<Services>,
    provider: Arc<Provider>,
    met: Met,
    visit: Option<Visit>,
    client: Client,
) -> Return {
    let request_id = client.request_id;
    let finishing = rt::spawn(async move {
        callback::finish(&services, &provider, met, visit.as_ref(), &client).await
    });
    finishing.await.unwrap_or_else(|panicked| {
        let cause = panicked.to_string();
        tracing::error!(%request_id, cause, "internal error");
        Return {
            intent: None,
            outcome: Err(Failure::Broken(cause)),
        }
    })
}

/// Whoever names something twice wants us to read one, and somebody else the other.
fn parse(query: &Query) -> Result<Answer, Failure> {
    let get = |name| match query.only(name) {
        Ok(value) => Ok(value.map(ToOwned::to_owned)),
        Err(Twice) => Err(Failure::failed(format!("{name} is there twice"))),
    };
    Ok(Answer {
        state: get("state")?,
        code: get("code")?,
        iss: get("iss")?,
        error: get("error")?,
        error_description: get("error_description")?,
    })
}

/// Gives the browser what it came for. Returns where it goes on.
fn arrive(site: &Site, outcome: Outcome, provider: &str, browser: &Browser) -> Url {
    match outcome {
        Outcome::LoggedIn {
            started,
            redirect_to,
        } => {
            browser.log_in(started.user.id, started.issued);
            site.place(redirect_to.as_deref().unwrap_or("/"))
        }
        Outcome::Reauthenticated {
            issued,
            user_id,
            redirect_to,
        } => {
            browser.log_in(user_id, issued);
            let account = site.pages.path(Page::Account);
            site.place(redirect_to.as_deref().unwrap_or(account))
        }
        Outcome::SecondFactor(pending) => {
            browser.begin_step(pending.key);
            with(site.page(Page::Login), "step", "second_factor")
        }
        Outcome::ChooseUsername(key) => {
            browser.begin_step(key);
            with(site.page(Page::Register), "step", "choose_username")
        }
        Outcome::Linked => with(site.page(Page::Account), "linked", provider),
    }
}

/// The page that tells of a failure: the account for whoever is there.
fn failed(site: &Site, intent: Option<Intent>, visit: Option<&Visit>, failure: &Failure) -> Url {
    let is_login = visit.is_none() || intent == Some(Intent::Login);
    let page = if is_login { Page::Login } else { Page::Account };
    with(site.page(page), "error", code(failure).into())
}

fn code(failure: &Failure) -> Code {
    match failure {
        Failure::Denied(_) => Code::OidcDenied,
        Failure::Failed(_) | Failure::Broken(_) => Code::OidcFailed,
        Failure::Expired => Code::OidcExpired,
        Failure::Unavailable(_) => Code::OidcUnavailable,
        Failure::EmailInUse => Code::OidcEmailInUse,
        Failure::IdentityInUse => Code::OidcIdentityInUse,
        Failure::NotRecent => Code::OidcNotRecent,
        Failure::RegistrationClosed => Code::RegistrationClosed,
        Failure::AccountDisabled => Code::AccountDisabled,
        Failure::EmailNotVerified => Code::EmailNotVerified,
    }
}

fn with(mut place: Url, name: &str, value: &str) -> Url {
    place.query_pairs_mut().append_pair(name, value);
    place
}

fn see(place: Url) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, place.as_str()))
        .finish()
}
