//! Choosing a name, for somebody whom a provider knows and nobody here.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::auth::oidc::newcomer::{Chosen, Form, choose};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::email::Email;
use crate::domain::field::FieldErrors;
use crate::domain::username::Username;
use crate::http::api::logged_in::{LoggedIn, answer_login};
use crate::http::api::views::Accepted;
use crate::http::session::browser::Browser;
use crate::http::session::step::PendingStep;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{Closed, Invalid, Limited, LoginOver, NoDatabase};

const MAILED: &str = "Please confirm your email address: open the link in the mail that we sent you. Then log in with your provider.";

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"username": "susan"}))]
pub struct ChooseUsernameRequest {
    /// Letters, digits, `.`, `_`, `-`. Names that differ only in case are the same.
    #[schema(value_type = String, required, min_length = 3, max_length = 32, pattern = "^[A-Za-z0-9._-]+$", example = "susan")]
    username: Option<Sent<String>>,
    /// Required if the provider has confirmed none: GET /api/login/step says so.
    #[schema(value_type = Option<String>, format = Email, max_length = 254, example = "susan@example.com")]
    email: Option<Sent<String>>,
}

impl From<ChooseUsernameRequest> for Form {
    fn from(form: ChooseUsernameRequest) -> Self {
        let mut errors = FieldErrors::default();
        let username = form.username.required();
        let email = form.email.optional();
        let email = email.and_then(|text| text.map(|text| Email::parse(&text)).transpose());
        Self {
            username: errors.take("username", username.and_then(|text| Username::parse(&text))),
            email: errors.take("email", email).flatten(),
            errors,
        }
    }
}

/// Choose a name after the first login with a provider.
///
/// Needs the cookie latchkey_step that the callback set. If the provider has confirmed no address, you give one, and a mail
/// asks you to confirm it before you can log in.
#[utoipa::path(tag = "providers", security(("step" = [])), request_body = ChooseUsernameRequest, responses(
    (status = 200, description = "Registered and logged in.", body = LoggedIn,
        headers(("Set-Cookie" = String, description = "The session; clears the step."))),
    (status = 202, description = "Registered. The address has to be confirmed.", body = Accepted,
        headers(("Set-Cookie" = String, description = "Clears the step."))),
    LoginOver, Closed, Invalid, Limited, NoDatabase,
))]
#[post("/login/choose-username")]
pub async fn choose_username(
    services: Data<Services>,
    PendingStep(key): PendingStep,
    Json(form): Json<ChooseUsernameRequest>,
    client: Client,
    browser: Browser,
) -> Result<HttpResponse, Problem> {
    match choose(&services, &key, form.into(), &client).await? {
        Chosen::LoggedIn(login, redirect_to) => {
            answer_login(&services, *login, redirect_to.as_deref(), &browser)
        }
        Chosen::Waits => {
            browser.end_step();
            Ok(Accepted::answer(MAILED))
        }
    }
}
