//! Going to a provider.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};
use serde::{Deserialize, Serialize};
use strum::VariantArray;
use utoipa::ToSchema;

use crate::auth::admission::Wish;
use crate::auth::error::AuthError;
use crate::auth::oidc::flow::{self, Intent};
use crate::auth::recent::require_recent;
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::domain::client::Client;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::next::safe_next;
use crate::domain::secret::SessionKey;
use crate::http::session::guards::Visitor;
use crate::http::site::Site;
use crate::http::wire::answer;
use crate::http::wire::body::{Field, Json, Sent};
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{
    FreshLoginRequired, Invalid, Limited, LoggedOutRequired, LoginRequired, NoProvider, NoSuchItem,
};

#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"intent": "login", "next": "/profile", "remember_me": false}))]
pub struct StartRequest {
    /// `login`, `link` to add the account to yours, or `reauthenticate` to confirm that it is you.
    #[schema(value_type = String, required, example = "login")]
    intent: Option<Sent<String>>,
    /// The page to go to afterwards, if it is a path of the app. Not for link, which leads to the account.
    #[schema(value_type = Option<String>, example = "/profile")]
    next: Option<Sent<String>>,
    /// Stay logged in after the browser closes. For login only.
    #[schema(value_type = Option<bool>, example = false)]
    remember_me: Option<Sent<bool>>,
}

/// Where the browser has to go.
#[derive(Serialize, ToSchema)]
pub struct Journey<'a> {
    #[schema(example = "https://accounts.google.com/o/oauth2/v2/auth?client_id=…")]
    authorization_url: &'a str,
}

impl StartRequest {
    fn wish(self, site: &Site, errors: &mut FieldErrors) -> Option<Wish> {
        let remember_me = errors.take("remember_me", self.remember_me.optional())?;
        let next = self.next.lenient();
        Some(Wish {
            remembered: remember_me.unwrap_or(false),
            redirect_to: next.and_then(|next| safe_next(&site.app_url, &next)),
        })
    }
}

fn parse_intent(text: &str) -> Result<Intent, FieldError> {
    text.parse().map_err(|_| {
        let all: Vec<&str> = Intent::VARIANTS.iter().map(|one| one.into()).collect();
        FieldError::new(
            FieldCode::Invalid,
            format!("Must be one of: {}.", all.join(", ")),
        )
    })
}

/// Go to a provider.
///
/// Send the browser to authorization_url: `location.assign(url)`. It comes back to /api/oidc/{provider}/callback, within ten
/// minutes. link needs a recent proof of who you are.
#[utoipa::path(tag = "providers", request_body = StartRequest,
    params(("provider" = String, Path, description = "Its name in GET /api/config.")),
    responses(
        (status = 200, description = "Where to go.", body = Journey,
            headers(("Set-Cookie" = String, description = "The browser that may come back."))),
        LoginRequired, FreshLoginRequired, NoSuchItem, LoggedOutRequired, Invalid, Limited, NoProvider,
))]
#[post("/oidc/{provider}/start")]
pub async fn start_oidc(
    request: HttpRequest,
    services: Data<Services>,
    site: Data<Site>,
    Visitor(visit): Visitor,
    path: Path<String>,
    Json(mut form): Json<StartRequest>,
    client: Client,
) -> Result<HttpResponse, Problem> {
    let mut errors = FieldErrors::default();
    let intent = form.intent.take().required();
    let intent = errors.take("intent", intent.and_then(|text| parse_intent(&text)));
    let visit = match intent {
        Some(intent) => allowed(&services, intent, visit.as_ref()).await?,
        None => None,
    };
    let wish = form.wish(&site, &mut errors);
    let (Some(intent), Some(wish)) = (intent, wish) else {
        return Err(errors.into());
    };
    let provider = services.providers.named(&path);
    let provider = provider.ok_or(AuthError::ItemNotFound)?;
    let browser = match site.cookies.provider_key(request.headers()) {
        // Another tab has a flow under way.
        Some(key) => key,
        None => SessionKey::generate().map_err(AuthError::from)?,
    };
    let url = flow::begin(&services, provider, intent, visit, &wish, &browser, &client).await?;
    let mut response = answer::ok(&Journey {
        authorization_url: url.as_str(),
    })?;
    site.cookies
        .keep_provider_key(response.headers_mut(), &browser);
    Ok(response)
}

/// The session that the flow belongs to, if it may begin.
async fn allowed<'a>(
    services: &Services,
    intent: Intent,
    visit: Option<&'a Visit>,
) -> Result<Option<&'a Visit>, AuthError> {
    if intent == Intent::Login {
        return match visit {
            Some(_) => Err(AuthError::AlreadyAuthenticated),
            None => Ok(None),
        };
    }
    let visit = visit.ok_or(AuthError::NotAuthenticated)?;
    if intent == Intent::Link {
        require_recent(services, visit).await?;
    }
    Ok(Some(visit))
}
