//! The second factor on and off.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, post};

use super::views::{RecoveryCodes, Removed};
use crate::auth::second_factor::switch;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::http::session::guards::FreshUser;
use crate::http::wire::answer;
use crate::http::wire::body::Json;
use crate::http::wire::end_others::EndOthers;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    Busy, FreshLoginRequired, Invalid, LoginRequired, NoDatabase, NotOn, NotToTurnOn,
};

/// Use passkeys as the second factor.
///
/// For people who have passkeys and no authenticator app. From now on a password alone lets nobody in.
#[utoipa::path(tag = "second factor", security(("session" = [])), request_body = inline(Option<EndOthers>), responses(
    (status = 200, description = "It is on.", body = RecoveryCodes),
    LoginRequired, FreshLoginRequired, NotToTurnOn, Invalid, Busy,
))]
#[post("/second-factor")]
pub async fn turn_on(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    Json(form): Json<Option<EndOthers>>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let on = switch::turn_on(
        &services,
        &visit,
        form.unwrap_or_default().scope()?,
        &client,
    )
    .await?;
    answer::ok(&RecoveryCodes::of(on.recovery_codes, on.revoked))
}

/// Turn the second factor off.
///
/// The authenticator app, the recovery codes and the trusted browsers are gone. Passkeys stay as a way to log in.
#[utoipa::path(tag = "second factor", security(("session" = [])), request_body = inline(Option<EndOthers>), responses(
    (status = 200, description = "It is off.", body = Removed),
    LoginRequired, FreshLoginRequired, NotOn, Invalid, NoDatabase,
))]
#[delete("/second-factor")]
pub async fn turn_off(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    Json(form): Json<Option<EndOthers>>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let removed = switch::turn_off(
        &services,
        &visit,
        form.unwrap_or_default().scope()?,
        &client,
    )
    .await?;
    answer::ok(&Removed::from(removed))
}
