//! The browser's side of the session.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::{Ready, ready};
use uuid::Uuid;

use super::state::Change;
use crate::auth::session::Issued;
use crate::http::wire::problem::Problem;

/// Changes what the browser holds.
pub struct Browser(HttpRequest);

impl Browser {
    /// From the answer on the browser holds this, in place of whatever it held.
    pub fn log_in(&self, user_id: Uuid, issued: Issued) {
        self.change(Change::LogIn { user_id, issued });
    }

    /// From the answer on the browser holds no session. The row must have been ended before.
    pub fn log_out(&self) {
        self.change(Change::LogOut);
    }

    fn change(&self, change: Change) {
        self.0.extensions_mut().insert(change);
    }
}

impl FromRequest for Browser {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.clone())))
    }
}
