//! Adding a passkey.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::views::{OptionsView, PasskeyView};
use crate::auth::passkeys::registration::{self, Form};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::field::FieldErrors;
use crate::domain::label::Label;
use crate::http::session::guards::FreshUser;
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::end_others;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    FreshLoginRequired, Invalid, Limited, LoginRequired, NoDatabase, NoMorePasskeys, NoPasskeys,
    NotAddable, VoidChallenge,
};

/// Begin to add a passkey.
///
/// Pass options to `PublicKeyCredential.parseCreationOptionsFromJSON` and the result to `navigator.credentials.create`.
#[utoipa::path(tag = "passkeys", security(("session" = [])), responses(
    (status = 200, description = "What to ask the browser.", body = OptionsView),
    LoginRequired, FreshLoginRequired, NoPasskeys, NoMorePasskeys, Limited, NoDatabase,
))]
#[post("/passkeys/registration/options")]
pub async fn passkey_registration_options(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let options = registration::begin(&services, &visit, &client).await?;
    answer::ok(&OptionsView::from(options))
}

#[derive(Deserialize, ToSchema)]
pub struct RegisterPasskeyRequest {
    /// What `navigator.credentials.create` gave, after `toJSON`.
    #[schema(value_type = Object, required)]
    credential: Option<Sent<Value>>,
    /// What to call it. By default it is called like the browser.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "My phone")]
    name: Option<Sent<String>>,
    /// Whether to end your other sessions. By default they go on.
    #[schema(value_type = Option<bool>, example = false)]
    end_other_sessions: Option<Sent<bool>>,
}

impl TryFrom<RegisterPasskeyRequest> for Form {
    type Error = FieldErrors;

    fn try_from(sent: RegisterPasskeyRequest) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let credential = errors.take("credential", sent.credential.required());
        let name = sent.name.optional();
        let name = name.and_then(|name| name.map(|name| Label::parse(&name)).transpose());
        let name = errors.take("name", name);
        let scope = end_others::scope(sent.end_other_sessions, false, &mut errors);
        match (credential, name) {
            (Some(credential), Some(name)) if errors.is_empty() => Ok(Self {
                credential,
                name,
                scope,
            }),
            _ => Err(errors),
        }
    }
}

/// Add a passkey.
///
/// A mail tells you of it.
#[utoipa::path(tag = "passkeys", security(("session" = [])), request_body = RegisterPasskeyRequest, responses(
    (status = 201, description = "Added.", body = PasskeyView),
    LoginRequired, FreshLoginRequired, NoPasskeys, NotAddable, VoidChallenge, Invalid, Limited, NoDatabase,
))]
#[post("/passkeys/registration/verify")]
pub async fn register_passkey(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    Json(form): Json<RegisterPasskeyRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let passkey = registration::finish(&services, &visit, form.try_into()?, &client).await?;
    answer::created(&PasskeyView::new(passkey, &services))
}
