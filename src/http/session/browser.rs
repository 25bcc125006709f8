//! What handlers use to log a browser in or out.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::{Ready, ready};
use uuid::Uuid;

use super::state::Change;
use crate::auth::session::Issued;
use crate::http::wire::problem::Problem;

/// The browser that sent the request.
pub struct Browser(HttpRequest);

impl Browser {
    /// Has the response give the browser this session, in place of any other.
    pub fn log_in(&self, user_id: Uuid, issued: Issued) {
        self.change(Change::LogIn { user_id, issued });
    }

    /// Has the response remove the session cookie. The session itself must have ended before.
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
