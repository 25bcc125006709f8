//! Browsers in which your logins need no second factor.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get};

use crate::auth::second_factor::trusted_devices;
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::http::api::views::DeviceView;
use crate::http::session::guards::CurrentUser;
use crate::http::wire::answer;
use crate::http::wire::item::id;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{LoginRequired, NoDatabase, NoSuchItem};

/// Which browsers do I trust?
///
/// A login there needs no second factor, and has one factor.
#[utoipa::path(tag = "second factor", security(("session" = [])), responses(
    (status = 200, description = "The most recently used first.", body = Vec<DeviceView>),
    LoginRequired, NoDatabase,
))]
#[get("/trusted-devices")]
pub async fn list_trusted_devices(
    services: Data<Services>,
    user: CurrentUser,
) -> Result<HttpResponse, Problem> {
    let devices = trusted_devices::list(&services, user.id()).await?;
    answer::ok(
        &devices
            .into_iter()
            .map(DeviceView::from)
            .collect::<Vec<_>>(),
    )
}

/// Trust one browser no longer.
///
/// Its sessions go on.
#[utoipa::path(tag = "second factor", security(("session" = [])), params(("id" = Uuid, Path, description = "The browser's id.")), responses(
    (status = 204, description = "Its next login asks for the second factor."),
    LoginRequired, NoSuchItem, NoDatabase,
))]
#[delete("/trusted-devices/{id}")]
pub async fn forget_trusted_device(
    services: Data<Services>,
    CurrentUser(visit): CurrentUser,
    path: Path<String>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    trusted_devices::forget(&services, &visit, id(&path)?, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Trust no browser any longer.
///
/// Their sessions go on.
#[utoipa::path(tag = "second factor", security(("session" = [])), responses(
    (status = 204, description = "The next login in each asks for the second factor."),
    LoginRequired, NoDatabase,
))]
#[delete("/trusted-devices")]
pub async fn forget_trusted_devices(
    services: Data<Services>,
    CurrentUser(visit): CurrentUser,
    client: Client,
) -> Result<HttpResponse, Problem> {
    trusted_devices::forget_all(&services, &visit, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}
