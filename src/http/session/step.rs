//! The unfinished login of a browser.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{Ready, ready};

use crate::auth::error::AuthError;
use crate::domain::secret::KeyHash;
use crate::http::site::{Site, wired};
use crate::http::wire::problem::Problem;

/// Requires the cookie of an unfinished login, else 410. Whether it is still open is for the rules to find out.
pub struct PendingStep(pub KeyHash);

/// The same, for whoever needs none.
pub struct AnyStep(pub Option<KeyHash>);

impl FromRequest for PendingStep {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = key(request).ok_or(AuthError::StepExpired);
        ready(key.map(Self).map_err(Problem::from))
    }
}

impl FromRequest for AnyStep {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(key(request))))
    }
}

fn key(request: &HttpRequest) -> Option<KeyHash> {
    wired::<Site>(request).cookies.step(request.headers())
}
