//! New recovery codes.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::second_factor::recovery;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::http::session::guards::FreshUser;
use crate::http::wire::answer;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{Busy, FreshLoginRequired, LoginRequired, NotOn};

/// To be shown once.
#[derive(Serialize, ToSchema)]
pub struct NewRecoveryCodes {
    /// Each works once.
    #[schema(example = json!(["7kq2-m0ra-x5vd-93fe"]))]
    recovery_codes: Vec<String>,
}

/// Make new recovery codes.
///
/// The old ones are void.
#[utoipa::path(tag = "second factor", security(("session" = [])), responses(
    (status = 201, description = "Keep them in a safe place.", body = NewRecoveryCodes),
    LoginRequired, FreshLoginRequired, NotOn, Busy,
))]
#[post("/recovery-codes")]
pub async fn renew_recovery_codes(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let codes = recovery::renew(&services, &visit, &client).await?;
    answer::created(&NewRecoveryCodes {
        recovery_codes: codes.texts(),
    })
}
