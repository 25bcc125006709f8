//! The accounts at providers with which you log in.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::oidc::identities::{self, Identity};
use crate::auth::services::Services;
use crate::domain::client::Client;
use crate::http::session::guards::{CurrentUser, FreshUser};
use crate::http::wire::answer;
use crate::http::wire::item::id;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    FreshLoginRequired, LastWayIn, LoginRequired, NoDatabase, NoSuchItem,
};
use crate::http::wire::timestamp::Timestamp;

/// An account at a provider.
#[derive(Serialize, ToSchema)]
#[schema(as = Identity)]
pub struct IdentityView {
    id: Uuid,
    #[schema(example = "google")]
    provider: String,
    /// What the provider is called.
    #[schema(example = "Google")]
    label: String,
    /// The address there, when the account was added. It may have changed.
    #[schema(example = "susan@example.com")]
    email: Option<String>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

impl IdentityView {
    /// Named as the settings name the provider now. One that they no longer have keeps its name.
    fn new(identity: Identity, services: &Services) -> Self {
        let known = services.providers.of_issuer(&identity.issuer);
        let (provider, label) = match known {
            Some(known) => (known.entry.name.clone(), known.entry.label.clone()),
            None => (identity.provider.clone(), identity.provider),
        };
        Self {
            id: identity.id,
            provider,
            label,
            email: identity.email,
            created_at: identity.created_at.into(),
            last_used_at: identity.last_used_at.map(Timestamp),
        }
    }
}

/// My accounts at providers.
///
/// The oldest first. POST /api/oidc/{provider}/start with the intent link adds one.
#[utoipa::path(tag = "providers", security(("session" = [])), responses(
    (status = 200, description = "All of them.", body = Vec<IdentityView>),
    LoginRequired, NoDatabase,
))]
#[get("/identities")]
pub async fn list_identities(
    services: Data<Services>,
    user: CurrentUser,
) -> Result<HttpResponse, Problem> {
    let all = identities::list(&services, user.id()).await?;
    let all = all.into_iter();
    let views = all.map(|identity| IdentityView::new(identity, &services));
    answer::ok(&views.collect::<Vec<_>>())
}

/// Disconnect an account at a provider.
///
/// Nobody can log in with it any more, your other sessions end, and a mail tells you of it. Your last way to log in stays.
#[utoipa::path(tag = "providers", security(("session" = [])),
    params(("id" = Uuid, Path, description = "The id of the account in GET /api/identities.")),
    responses(
        (status = 204, description = "Removed."),
        LoginRequired, FreshLoginRequired, NoSuchItem, LastWayIn, NoDatabase,
))]
#[delete("/identities/{id}")]
pub async fn remove_identity(
    services: Data<Services>,
    FreshUser(visit): FreshUser,
    path: Path<String>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    identities::unlink(&services, &visit, id(&path)?, &client).await?;
    Ok(HttpResponse::NoContent().finish())
}
