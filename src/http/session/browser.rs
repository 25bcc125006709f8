//! The one place that knows actix-session and actix-identity: who is there, and changing that.

use actix_identity::Identity;
use actix_session::{Session as ActixSession, SessionExt};
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::{DateTime, Utc};
use futures_util::future::{Either, LocalBoxFuture, Ready, ready};
use uuid::Uuid;

use super::cookies::{KeepFor, KnowAs};
use super::store::LastVisit;
use crate::auth::error::AuthError;
use crate::auth::session::{Visit, recognize};
use crate::auth::{Services, password};
use crate::domain::client::Devices;
use crate::domain::secret::{KeyHash, SessionKey};
use crate::http::wire::problem::Problem;

/// Keys of the session state. `USER_ID` is actix-identity's own.
pub const USER_ID: &str = "actix_identity.user_id";
pub const KEY_HASH: &str = "key_hash";
pub const NEW_KEY: &str = "new_key";
pub const UNAVAILABLE: &str = "unavailable";
pub const BROKEN: &str = "broken";

/// The browser's side of the session.
pub struct Browser {
    request: HttpRequest,
    session: ActixSession,
}

impl Browser {
    fn of(request: &HttpRequest) -> Self {
        Self {
            request: request.clone(),
            session: request.get_session(),
        }
    }

    /// The hash of the key that the browser presented, if it belongs to a live session.
    pub fn key_hash(&self) -> Result<Option<KeyHash>, Problem> {
        let mark = |name: &str| self.session.get::<String>(name).ok().flatten();
        if let Some(why) = mark(UNAVAILABLE) {
            return Err(AuthError::DatabaseUnavailable(why).into());
        }
        if let Some(why) = mark(BROKEN) {
            return Err(AuthError::Internal(why).into());
        }
        let hex = self.session.get::<String>(KEY_HASH).ok().flatten();
        Ok(hex.and_then(|hex| KeyHash::from_hex(&hex)))
    }

    /// From the answer on the browser holds this key, in place of whatever it held, and is known as these devices.
    pub fn log_in(
        &self,
        user_id: Uuid,
        key: SessionKey,
        keep_for: Option<u64>,
        devices: Devices,
    ) -> Result<(), Problem> {
        let lost = |error: &dyn std::fmt::Display| {
            Problem::from(AuthError::Internal(format!("session state: {error}")))
        };
        self.session
            .insert(NEW_KEY, key.into_cookie_value())
            .map_err(|e| lost(&e))?;
        Identity::login(&self.request.extensions(), user_id.to_string()).map_err(|e| lost(&e))?;
        if let Some(seconds) = keep_for {
            self.request.extensions_mut().insert(KeepFor(seconds));
        }
        self.request.extensions_mut().insert(KnowAs(devices));
        Ok(())
    }

    /// From the answer on the browser holds nothing. The row must have been ended before.
    pub fn log_out(&self) {
        self.session.purge();
    }
}

impl FromRequest for Browser {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// Somebody is logged in. As an argument: login required, else 401.
pub struct CurrentUser(pub Visit);

/// Somebody is logged in and gave the password lately, else 403.
pub struct FreshUser(pub Visit);

impl FromRequest for CurrentUser {
    type Error = Problem;
    type Future =
        Either<Ready<Result<Self, Problem>>, LocalBoxFuture<'static, Result<Self, Problem>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let services = request.app_data::<Data<Services>>();
        let (key_hash, services) = match (Browser::of(request).key_hash(), services) {
            (Ok(Some(key_hash)), Some(services)) => (key_hash, services),
            (Err(problem), _) => return Either::Left(ready(Err(problem))),
            _ => return Either::Left(ready(Err(AuthError::NotAuthenticated.into()))),
        };
        let identity = Identity::from_request(request, payload).into_inner().ok();
        let user_id = identity.and_then(|identity| Uuid::parse_str(&identity.id().ok()?).ok());
        let last = request.app_data::<Data<LastVisit>>();
        if let Some(visit) = last.and_then(|last| last.take(&key_hash)) {
            return Either::Left(ready(Self::identified(visit, user_id)));
        }
        let services = services.clone();
        Either::Right(Box::pin(async move {
            let visit = recognize(&services, key_hash).await?;
            Self::identified(visit.ok_or(AuthError::NotAuthenticated)?, user_id)
        }))
    }
}

impl CurrentUser {
    /// The session's user must be the one that actix-identity knows.
    fn identified(visit: Visit, user_id: Option<Uuid>) -> Result<Self, Problem> {
        if user_id == Some(visit.user.id) {
            Ok(Self(visit))
        } else {
            Err(AuthError::NotAuthenticated.into())
        }
    }

    pub fn id(&self) -> Uuid {
        self.0.user.id
    }

    pub fn session_id(&self) -> Uuid {
        self.0.session().id
    }
}

impl FromRequest for FreshUser {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = CurrentUser::from_request(request, payload);
        let services = request.app_data::<Data<Services>>().cloned();
        Box::pin(async move {
            let CurrentUser(visit) = user.await?;
            let services = services.ok_or(AuthError::NotAuthenticated)?;
            password::require_recent(&services, &visit)?;
            Ok(Self(visit))
        })
    }
}

/// When a session ends if it is not used again.
pub fn ends_at(services: &Services, visit: &Visit) -> DateTime<Utc> {
    visit.recognized.deadline(&services.policy.lifetimes)
}
