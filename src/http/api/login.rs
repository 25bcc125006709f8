//! Log in, log out.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use serde::Deserialize;
use utoipa::ToSchema;

use super::logged_in::{LoggedIn, answer_login};
use super::views::LogoutRequest;
use crate::auth::admission::Wish;
use crate::auth::login::{Credentials, log_in};
use crate::auth::services::Services;
use crate::auth::session;
use crate::domain::client::Client;
use crate::domain::field::{FieldError, FieldErrors};
use crate::domain::next::safe_next;
use crate::domain::password::PlainPassword;
use crate::http::session::browser::Browser;
use crate::http::session::guards::{Anonymous, Visitor};
use crate::http::site::Site;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::problem::Problem;
use crate::http::wire::query::Query;
use crate::http::wire::refusals::{
    Busy, Invalid, Limited, LoggedOutRequired, NoDatabase, NotLetIn, WrongCredentials,
};

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"username": "susan", "password": "green-Lamp-42-river", "remember_me": false, "next": "/profile"}))]
pub struct LoginRequest {
    /// The username or the e-mail address.
    #[schema(value_type = String, required, min_length = 1, example = "susan")]
    username: Option<Sent<String>>,
    #[schema(value_type = String, required, format = Password, min_length = 1, max_length = 256, example = "green-Lamp-42-river")]
    password: Option<Sent<String>>,
    /// Stay logged in after the browser closes.
    #[schema(value_type = Option<bool>, example = false)]
    remember_me: Option<Sent<bool>>,
    /// The page to go to afterwards. A safe path is returned as redirect_to; anything else becomes `/`.
    #[schema(value_type = Option<String>, example = "/profile")]
    next: Option<Sent<String>>,
}

impl LoginRequest {
    fn parse(self, redirect_to: Option<String>) -> Result<Credentials, FieldErrors> {
        let form = self;
        let mut errors = FieldErrors::default();
        let filled = |text: String| match text.as_str() {
            "" => Err(FieldError::required()),
            _ => Ok(text),
        };
        let parse = |text: String| PlainPassword::parse(&text);
        let identifier = errors.take("username", form.username.required().and_then(filled));
        let password = errors.take("password", form.password.required().and_then(parse));
        let remember_me = errors.take("remember_me", form.remember_me.optional());
        match (identifier, password, remember_me) {
            (Some(identifier), Some(password), Some(remember_me)) => Ok(Credentials {
                identifier,
                password,
                wish: Wish {
                    remembered: remember_me.unwrap_or(false),
                    redirect_to,
                },
            }),
            _ => Err(errors),
        }
    }
}

/// Log in.
///
/// Sets the session cookie. A failure does not say whether the name or the password was wrong. If your second factor is on,
/// the answer to the right password is second_factor_required, with the cookie latchkey_step: go on with
/// POST /api/login/second-factor.
#[utoipa::path(tag = "account", request_body = LoginRequest,
    params(("next" = Option<String>, Query, description = "Like next in the body, which takes precedence.")),
    responses(
        (status = 200, description = "Logged in.", body = LoggedIn,
            headers(("Set-Cookie" = String, description = "The session; with remember_me also Max-Age."))),
        WrongCredentials, NotLetIn, LoggedOutRequired, Invalid, Limited, Busy,
))]
#[post("/login")]
pub async fn login(
    request: HttpRequest,
    services: Data<Services>,
    site: Data<Site>,
    _: Anonymous,
    Json(mut form): Json<LoginRequest>,
    client: Client,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    let next = form.next.take().lenient();
    let next = next.or_else(|| {
        Query::of(request.query_string())
            .get("next")
            .map(ToOwned::to_owned)
    });
    let redirect_to = next.and_then(|next| safe_next(&site.public_url, &next));
    let credentials = form.parse(redirect_to.clone())?;
    let outcome = log_in(&services, credentials, &client).await?;
    answer_login(&services, outcome, redirect_to.as_deref(), &browser)
}

/// Log out.
///
/// Ends this browser's session and clears the cookie. Succeeds without a session, too.
#[utoipa::path(tag = "account", request_body = inline(Option<LogoutRequest>), responses(
    (status = 204, description = "Logged out.", headers(("Set-Cookie" = String, description = "Clears the session."))),
    NoDatabase,
))]
#[post("/logout")]
pub async fn logout(
    services: Data<Services>,
    Visitor(visit): Visitor,
    browser: Browser,
    _body: Json<Option<LogoutRequest>>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    if let Some(visit) = visit {
        session::end(&services, &visit, &client).await?;
    }
    browser.log_out();
    Ok(HttpResponse::NoContent().finish())
}
