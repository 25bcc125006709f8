//! Registration, and who am I.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::views::{SessionView, UserView};
use crate::auth::account::{self, Registration};
use crate::auth::deletion;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::locale::Locale;
use crate::domain::password::same_twice;
use crate::domain::username::Username;
use crate::http::session::browser::Browser;
use crate::http::session::guards::{Anonymous, CurrentUser, FreshUser};
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::problem::Problem;
use crate::http::wire::query::Query;
use crate::http::wire::refusals::{
    Busy, Closed, FreshLoginRequired, Invalid, LastAdministrator, Limited, LoggedOutRequired,
    LoginRequired, NoDatabase,
};

#[derive(Deserialize, ToSchema)]
pub struct RegisterRequest {
    /// Letters, digits, `.`, `_`, `-`. Names that differ only in case are the same.
    #[schema(value_type = String, required, min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9._-]+$", example = "susan")]
    username: Option<Sent<String>>,
    #[schema(value_type = String, required, format = Email, max_length = 254, example = "susan@example.com")]
    email: Option<Sent<String>>,
    /// Any characters. Length and strength are checked, composition is not.
    #[schema(value_type = String, required, format = Password, min_length = 8, max_length = 256, example = "green-Lamp-42-river")]
    password: Option<Sent<String>>,
    /// The password again, if your form asks twice.
    #[schema(value_type = Option<String>, format = Password, example = "green-Lamp-42-river")]
    password2: Option<Sent<String>>,
    /// The language of mails, as a BCP 47 tag. The default is the one that the browser prefers.
    #[schema(value_type = Option<String>, max_length = 35, example = "en")]
    locale: Option<Sent<String>>,
}

impl From<RegisterRequest> for Registration {
    fn from(form: RegisterRequest) -> Self {
        let mut errors = FieldErrors::default();
        let username = form.username.required();
        let email = form.email.required();
        let password = form.password.required();
        if let Some(again) = form.password2.optional().transpose() {
            let same = again.and_then(|again| match &password {
                Ok(password) => same_twice(password, &again),
                Err(_) => Ok(()),
            });
            errors.take("password2", same);
        }
        let locale = form.locale.optional();
        let locale = locale.and_then(|tag| tag.map(|tag| Locale::parse(&tag)).transpose());
        Self {
            username: errors.take("username", username.and_then(|text| Username::parse(&text))),
            email: errors.take("email", email.and_then(|text| Email::parse(&text))),
            password: errors.take("password", password),
            locale: errors.take("locale", locale).flatten(),
            vouched_for: false,
            errors,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct Me<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    session: SessionView,
}

/// Register a user.
///
/// Does not log in. All invalid fields are reported at once. A mail asks the user to verify the address.
#[utoipa::path(tag = "account", request_body = RegisterRequest, responses(
    (status = 201, description = "Registered.", body = UserView, headers(("Location" = String, description = "/api/me"))),
    LoggedOutRequired, Closed, Invalid, Limited, Busy,
))]
#[post("/register")]
pub async fn register(
    services: Data<Services>,
    _: Anonymous,
    Json(form): Json<RegisterRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let user = account::register(&services, form.into(), &client).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, "/api/me"))
        .json(UserView::from(&user)))
}

/// Who am I?
///
/// The user and the session of this browser. Needs no query if the session was used recently.
#[utoipa::path(tag = "account", security(("session" = [])), responses(
    (status = 200, description = "You, and this session.", body = Me),
    LoginRequired, NoDatabase,
))]
#[get("/me")]
pub async fn me(
    services: Data<Services>,
    CurrentUser(visit): CurrentUser,
) -> Result<HttpResponse, Problem> {
    let ends_at = visit.live.deadline(&services.policy.lifetimes);
    answer::ok(&Me {
        user: UserView::from(&*visit.user),
        session: SessionView::new(visit.session(), ends_at),
    })
}

#[derive(Deserialize, ToSchema)]
pub struct DeleteAccountRequest {
    /// Your username, so that a slip deletes nothing. It may be in the query instead: some proxies drop the body of a
    /// DELETE.
    #[schema(value_type = Option<String>, example = "susan")]
    username: Option<Sent<String>>,
}

/// Delete my account.
///
/// At once and for good, with all sessions and events. Needs a recent login.
#[utoipa::path(tag = "account", security(("session" = [])), request_body = DeleteAccountRequest,
    params(("username" = Option<String>, Query, description = "Your username, if it is not in the body.")),
    responses(
        (status = 204, description = "The account is gone.",
            headers(("Set-Cookie" = String, description = "Removes the session cookie."))),
        LoginRequired, FreshLoginRequired, LastAdministrator, Invalid, NoDatabase,
))]
#[delete("/me")]
pub async fn delete_account(
    request: HttpRequest,
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    Json(form): Json<DeleteAccountRequest>,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    let query = Query::of(request.query_string());
    let username = query.complete("username", form.username)?;
    deletion::delete_own(&services, &visit, &username).await?;
    browser.log_out();
    Ok(HttpResponse::NoContent().finish())
}
