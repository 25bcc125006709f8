//! The passkeys of a user: see, rename and remove them.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::views::PasskeyView;
use crate::auth::passkeys::{self, removal};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::domain::field::FieldErrors;
use crate::domain::label::Label;
use crate::http::api::views::Revoked;
use crate::http::session::guards::{CurrentUser, FreshUser};
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::end_others::EndOthers;
use crate::http::wire::item::id;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    FreshLoginRequired, Invalid, LastOfItsKind, LoginRequired, NoDatabase, NoSuchItem,
};

/// All that `PublicKeyCredential.signalAllAcceptedCredentials` needs. The list is always whole: browsers forget what is
/// missing.
#[derive(Serialize, ToSchema)]
pub struct PasskeyList {
    /// The domain that passkeys belong to. Null if this server offers none.
    #[schema(example = "app.example")]
    rp_id: Option<String>,
    /// By which devices know you, in base64url.
    #[schema(example = "AZrA7wAAcACAAAAAAAAAAA")]
    user_handle: String,
    passkeys: Vec<PasskeyView>,
}

/// My passkeys.
///
/// The oldest first, ten at most.
#[utoipa::path(tag = "passkeys", security(("session" = [])), responses(
    (status = 200, description = "All of them.", body = PasskeyList),
    LoginRequired, NoDatabase,
))]
#[get("/passkeys")]
pub async fn list_passkeys(
    services: Data<Services>,
    user: CurrentUser,
) -> Result<HttpResponse, Problem> {
    let listed = passkeys::list(&services, &user.0).await?;
    let view = |passkey| PasskeyView::new(passkey, &services);
    answer::ok(&PasskeyList {
        rp_id: listed.rp_id,
        user_handle: URL_SAFE_NO_PAD.encode(user.id()),
        passkeys: listed.passkeys.into_iter().map(view).collect(),
    })
}

#[derive(Deserialize, ToSchema)]
pub struct RenamePasskeyRequest {
    #[schema(value_type = String, required, min_length = 1, max_length = 64, example = "My phone")]
    name: Option<Sent<String>>,
}

/// Rename a passkey.
///
/// Only your list shows the name. Browsers keep theirs.
#[utoipa::path(tag = "passkeys", security(("session" = [])), request_body = RenamePasskeyRequest,
    params(("id" = Uuid, Path, description = "The passkey's id.")),
    responses(
        (status = 200, description = "The passkey under its new name.", body = PasskeyView),
        LoginRequired, NoSuchItem, Invalid, NoDatabase,
))]
#[patch("/passkeys/{id}")]
pub async fn rename_passkey(
    services: Data<Services>,
    CurrentUser(visit): CurrentUser,
    path: Path<String>,
    Json(form): Json<RenamePasskeyRequest>,
) -> Result<HttpResponse, Problem> {
    let name = form.name.required().and_then(|name| Label::parse(&name));
    let name = name.map_err(|error| FieldErrors::from(("name", error)))?;
    let passkey = passkeys::rename(&services, &visit, id(&path)?, &name).await?;
    answer::ok(&PasskeyView::new(passkey, &services))
}

/// Remove a passkey.
///
/// It stops working at once. A mail tells you of it. Your last way to log in stays, and so does your last second factor.
#[utoipa::path(tag = "passkeys", security(("session" = [])), request_body = inline(Option<EndOthers>),
    params(("id" = Uuid, Path, description = "The passkey's id.")),
    responses(
        (status = 200, description = "Removed.", body = Revoked),
        LoginRequired, FreshLoginRequired, NoSuchItem, LastOfItsKind, Invalid, NoDatabase,
))]
#[delete("/passkeys/{id}")]
pub async fn remove_passkey(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    path: Path<String>,
    Json(form): Json<Option<EndOthers>>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let scope = form.unwrap_or_default().scope()?;
    let revoked = removal::remove(&services, &visit, id(&path)?, scope, &client).await?;
    answer::ok(&Revoked { revoked })
}
