//! What handlers use to log a browser in or out.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::{Ready, ready};
use uuid::Uuid;

use super::state::{Change, SessionChange};
use crate::auth::session::Issued;
use crate::domain::secret::SessionKey;
use crate::http::wire::problem::Problem;

/// The browser that sent the request.
pub struct Browser(HttpRequest);

impl Browser {
    /// Has the response give the browser this session, in place of any other.
    pub fn log_in(&self, user_id: Uuid, issued: Issued) {
        self.change(Change::Session(SessionChange::LogIn { user_id, issued }));
    }

    /// Has the response remove the session cookie. The session itself must have ended before.
    pub fn log_out(&self) {
        self.change(Change::Session(SessionChange::LogOut));
    }

    /// Has the response give the browser the key of an unfinished login.
    pub fn begin_step(&self, key: SessionKey) {
        self.change(Change::Step(Some(key)));
    }

    /// Has the response remove that key. A login does so by itself.
    pub fn end_step(&self) {
        self.change(Change::Step(None));
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
