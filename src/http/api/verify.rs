//! Forward auth: a proxy asks whether a request to another backend may pass, and who makes it.

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, UPGRADE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::form_urlencoded;

use crate::auth::error::AuthError;
use crate::auth::recent::require_recent;
use crate::auth::roles;
use crate::auth::services::Services;
use crate::domain::field::{FieldCode, FieldError, FieldErrors};
use crate::domain::role::{Role, USER};
use crate::http::session::guards::CurrentUser;
use crate::http::site::Site;
use crate::http::wire::code::Code;
use crate::http::wire::problem::Problem;
use crate::http::wire::refusals::{Invalid, LoginRequired, NoDatabase, NotPassed};

const USER_ID: HeaderName = HeaderName::from_static("x-latchkey-user-id");
const USERNAME: HeaderName = HeaderName::from_static("x-latchkey-username");
const EMAIL: HeaderName = HeaderName::from_static("x-latchkey-email");
const EMAIL_VERIFIED: HeaderName = HeaderName::from_static("x-latchkey-email-verified");
const ROLES: HeaderName = HeaderName::from_static("x-latchkey-roles");
const FACTORS: HeaderName = HeaderName::from_static("x-latchkey-factors");
const SESSION_ID: HeaderName = HeaderName::from_static("x-latchkey-session-id");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// What proxies call the method of the request that they ask about.
const METHODS: [&str; 2] = ["x-forwarded-method", "x-original-method"];

/// Header values are ASCII; `%` itself is encoded, so that decoding gives the address back.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%').add(b' ');

/// What the proxy asks for.
#[derive(Default, Debug)]
struct Demands {
    /// Any of them. Empty: a login is enough.
    roles: Vec<Role>,
    two_factors: bool,
    fresh: bool,
    verified: bool,
}

impl Demands {
    /// A word that is not understood is refused: a typo in a proxy's file must not open anything.
    fn parse(query: &str) -> Result<Self, FieldErrors> {
        let mut wanted = Self::default();
        let mut errors = FieldErrors::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                // One error is enough, however many roles are malformed.
                ("role", _) if errors.has("role") => {}
                ("role", role) => wanted.roles.extend(errors.take("role", Role::parse(role))),
                ("factors", "1") => {}
                ("factors", "2") => wanted.two_factors = true,
                ("fresh", "1") => wanted.fresh = true,
                ("verified", "1") => wanted.verified = true,
                ("factors", _) => errors.add("factors", invalid("Use 1 or 2.")),
                ("fresh", _) => errors.add("fresh", invalid("Use 1, or leave it out.")),
                ("verified", _) => errors.add("verified", invalid("Use 1, or leave it out.")),
                _ => errors.add(
                    "query",
                    invalid("Use role, factors, fresh and verified only."),
                ),
            }
        }
        if errors.is_empty() {
            Ok(wanted)
        } else {
            Err(errors)
        }
    }
}

fn invalid(message: &str) -> FieldError {
    FieldError::new(FieldCode::Invalid, message)
}

/// May this request pass?
///
/// For nginx auth_request, Traefik ForwardAuth and Caddy forward_auth: deploy/ has a file for each. The answer names the
/// user in headers, all of them always. Requests from other sites' pages are refused by the method of the original
/// request, X-Forwarded-Method or X-Original-Method; without one it counts as unsafe. Needs no query if the session was
/// used recently.
#[utoipa::path(tag = "forward auth", security(("session" = [])),
    params(
        ("role" = Option<Vec<String>>, Query, description = "Any of these roles, such as editor:media/7."),
        ("factors" = Option<u8>, Query, description = "2 asks for a login with two factors.", minimum = 1, maximum = 2),
        ("fresh" = Option<u8>, Query, description = "1 asks for a recent login.", minimum = 1, maximum = 1),
        ("verified" = Option<u8>, Query, description = "1 asks for a proven address.", minimum = 1, maximum = 1),
    ),
    responses(
        (status = 204, description = "It may pass.", headers(
            ("X-Latchkey-User-Id" = String, description = "The user's id, which never changes."),
            ("X-Latchkey-Username" = String, description = "The username."),
            ("X-Latchkey-Email" = String, description = "The address, percent-encoded beyond ASCII; - without one."),
            ("X-Latchkey-Email-Verified" = String, description = "true or false."),
            ("X-Latchkey-Roles" = String, description = "user, then the granted roles in alphabetical order."),
            ("X-Latchkey-Factors" = String, description = "How many factors the login had: 1 or 2."),
            ("X-Latchkey-Session-Id" = String, description = "The public id of the session."),
        )),
        LoginRequired, NotPassed, Invalid, NoDatabase,
))]
#[get("/verify")]
pub async fn verify(
    request: HttpRequest,
    services: Data<Services>,
    site: Data<Site>,
    CurrentUser(visit): CurrentUser,
) -> Result<HttpResponse, Problem> {
    let wanted = Demands::parse(request.query_string())?;
    let method = original_method(request.headers());
    let same_site = site.cross_origin.check(&method, request.headers());
    same_site.map_err(|why| Problem::with_detail(Code::CrossOriginRequest, why))?;
    let user = &visit.user;
    roles::require_any(user, &wanted.roles)?;
    if wanted.two_factors && visit.session().factors < 2 {
        return Err(AuthError::SecondFactorMissing.into());
    }
    if wanted.verified && user.email_verified_at.is_none() {
        return Err(AuthError::EmailNotVerified.into());
    }
    if wanted.fresh {
        require_recent(&services, &visit).await?;
    }
    let mut response = HttpResponse::NoContent();
    let email = user.email.as_deref().unwrap_or("-");
    let email = utf8_percent_encode(email, ENCODED).to_string();
    let verified = user.email_verified_at.is_some();
    let granted = user.roles.iter().map(String::as_str);
    let all: Vec<&str> = std::iter::once(USER).chain(granted).collect();
    response
        .insert_header((USER_ID, user.id.to_string()))
        .insert_header((USERNAME, user.username.as_str()))
        .insert_header((EMAIL, email))
        .insert_header((EMAIL_VERIFIED, if verified { "true" } else { "false" }))
        .insert_header((ROLES, all.join(",")))
        .insert_header((FACTORS, visit.session().factors.to_string()))
        .insert_header((SESSION_ID, visit.session().id.to_string()));
    Ok(response.finish())
}

/// The method that decides whether a page of another site may cause the request. One that is missing, malformed, given
/// twice, or given in two ways that differ counts as unsafe. So does the GET that opens a WebSocket: what follows can do
/// anything.
fn original_method(headers: &HeaderMap) -> Method {
    let mode = headers.get(SEC_FETCH_MODE).map(HeaderValue::as_bytes);
    if headers.contains_key(UPGRADE) || mode == Some(b"websocket") {
        return Method::POST;
    }
    let mut given = METHODS.iter().flat_map(|name| headers.get_all(*name));
    let Some(first) = given.next() else {
        return Method::POST;
    };
    let parsed = Method::from_bytes(first.as_bytes()).unwrap_or(Method::POST);
    let agreed = METHODS
        .iter()
        .all(|name| headers.get_all(*name).count() <= 1)
        && given.all(|other: &HeaderValue| other == first);
    if agreed { parsed } else { Method::POST }
}
