//! Handler arguments that are the access rules.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::{LocalBoxFuture, Ready, TryFutureExt, ready};
use uuid::Uuid;

use super::state::SessionState;
use crate::auth::administration;
use crate::auth::administration::administrator::Administrator;
use crate::auth::error::AuthError;
use crate::auth::recent::require_recent;
use crate::auth::services::Services;
use crate::auth::session::live::Visit;
use crate::http::edge::client::sender;
use crate::http::site::{Site, wired};
use crate::http::wire::problem::Problem;

/// Requires a login, else 401.
pub struct CurrentUser(pub Visit);

/// Requires a recent proof of who they are, with two factors if theirs is on, else 401 or 403.
pub struct FreshUser(pub Visit);

/// Requires an administrator, else 401 or 403.
pub struct Admin(pub Visit);

/// Requires an administrator with a recent proof, else 401 or 403.
pub struct FreshAdmin(pub Administrator);

/// Requires that nobody is logged in, else 409.
pub struct Anonymous;

/// Whoever is logged in, if anyone.
pub struct Visitor(pub Option<Visit>);

/// The same where even that must not fail the request: nobody, if it cannot be found out.
pub struct AnyVisitor(pub Option<Visit>);

impl CurrentUser {
    pub fn id(&self) -> Uuid {
        self.0.user.id
    }

    pub fn session_id(&self) -> Uuid {
        self.0.session().id
    }

    pub fn username(&self) -> &str {
        &self.0.user.username
    }

    /// `name` or `name:area`, as they were granted.
    pub fn roles(&self) -> &[String] {
        &self.0.user.roles
    }
}

/// The visit that the middleware found.
#[expect(
    clippy::expect_used,
    reason = "a guarded route outside the middleware is a bug that must not become a response"
)]
fn visit(request: &HttpRequest) -> Result<Option<Visit>, AuthError> {
    let extensions = request.extensions();
    let state = extensions.get::<SessionState>();
    state
        .expect("guarded routes are inside the session middleware")
        .0
        .clone()
}

impl FromRequest for CurrentUser {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = visit(request).and_then(|visit| visit.ok_or(AuthError::NotAuthenticated));
        ready(found.map(Self).map_err(Problem::from))
    }
}

impl FromRequest for FreshUser {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = CurrentUser::from_request(request, payload).into_inner();
        let services = wired::<Services>(request).clone();
        Box::pin(async move {
            let CurrentUser(visit) = user?;
            require_recent(&services, &visit).await?;
            Ok(Self(visit))
        })
    }
}

impl FromRequest for Admin {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = administrator(request);
        Box::pin(counted(request, found, false).map_ok(|found| Self(found.visit)))
    }
}

impl FromRequest for FreshAdmin {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = administrator(request);
        Box::pin(counted(request, found, true).map_ok(Self))
    }
}

fn administrator(request: &HttpRequest) -> Result<Administrator, AuthError> {
    let visit = visit(request)?.ok_or(AuthError::NotAuthenticated)?;
    administration::require(wired::<Services>(request), &visit)?;
    let client = sender(wired::<Site>(request), request);
    Ok(Administrator { visit, client })
}

/// Counts a request that may pass. Whoever may not is refused before anything waits, so before the body is looked at.
fn counted(
    request: &HttpRequest,
    found: Result<Administrator, AuthError>,
    recent: bool,
) -> impl Future<Output = Result<Administrator, Problem>> + use<> {
    let services = wired::<Services>(request).clone();
    async move {
        let found = found?;
        if recent {
            require_recent(&services, &found.visit).await?;
        }
        administration::charge(&services, &found.visit, &found.client).await?;
        Ok(found)
    }
}

impl FromRequest for Anonymous {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let nobody = visit(request).and_then(|visit| match visit {
            Some(_) => Err(AuthError::AlreadyAuthenticated),
            None => Ok(Self),
        });
        ready(nobody.map_err(Problem::from))
    }
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(visit(request).map(Self).map_err(Problem::from))
    }
}

impl FromRequest for AnyVisitor {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(visit(request).ok().flatten())))
    }
}
