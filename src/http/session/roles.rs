//! Roles as handler arguments.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{Ready, ready};

use super::guards::CurrentUser;
use crate::auth::error::AuthError;
use crate::auth::roles::require_any;
use crate::domain::role::Role;
use crate::http::wire::problem::Problem;

/// A role that a handler asks for, such as `editor` or `editor:media`.
pub trait RoleName {
    const ROLE: &'static str;
}

/// Requires a login, else 401, and the role `R`, else 403.
pub struct WithRole<R> {
    pub user: CurrentUser,
    role: PhantomData<R>,
}

impl CurrentUser {
    /// Refuses with 403 unless the user has this role. For an area that the path names, such as `editor:media/7`;
    /// otherwise [`WithRole`] is safer, because nobody can forget to call it.
    pub fn require_role(&self, role: &str) -> Result<(), Problem> {
        let asked = Role::parse(role)
            .map_err(|_| AuthError::Internal(format!("a handler asked for the role {role:?}")))?;
        Ok(require_any(&self.0.user, &[asked])?)
    }
}

impl<R: RoleName> FromRequest for WithRole<R> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = CurrentUser::from_request(request, payload).into_inner();
        ready(user.and_then(|user| {
            user.require_role(R::ROLE)?;
            Ok(Self {
                user,
                role: PhantomData,
            })
        }))
    }
}
