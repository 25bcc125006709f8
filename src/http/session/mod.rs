//! The session middleware: finds the session before the handler runs, and applies the change that the handler asked for.
//!
//! Finding reads one cookie and, in most cases, only memory. Changes go through actix-session and actix-identity, which
//! set, renew and remove the cookie. A cookie under an old secret key is signed again here.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::{SessionExt, SessionMiddleware};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::HeaderMap;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse};
use futures_util::future::{LocalBoxFuture, Ready, ready};

use crate::auth::services::Services;
use crate::auth::session::recognize::recognize;
use crate::domain::secret::KeyHash;
use crate::http::site::Site;
use state::{Change, SessionChange, SessionState};
use store::{Keys, NEW_KEY};

pub mod browser;
pub mod cookies;
pub mod guards;
pub mod roles;
pub mod signed;
pub mod state;
pub mod step;
pub mod store;

/// The middleware.
#[derive(Clone)]
pub struct Sessions(Rc<Parts>);

struct Parts {
    services: Services,
    site: Data<Site>,
    writer: SessionMiddleware<Keys>,
}

impl Sessions {
    pub fn new(services: Services, site: Data<Site>) -> Self {
        let writer = site.cookies.session_middleware(Keys);
        Self(Rc::new(Parts {
            services,
            site,
            writer,
        }))
    }
}

impl<S, B> Transform<S, ServiceRequest> for Sessions
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type InitError = ();
    type Transform = SessionsService<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(SessionsService {
            service: Rc::new(service),
            parts: self.0.clone(),
        }))
    }
}

pub struct SessionsService<S> {
    service: Rc<S>,
    parts: Rc<Parts>,
}

impl<S, B> Service<ServiceRequest> for SessionsService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&self, req: ServiceRequest) -> Self::Future {
        let (service, parts) = (self.service.clone(), self.parts.clone());
        Box::pin(async move {
            let cookie = parts.site.cookies.session_key(req.headers());
            let found = match &cookie {
                Some(key) => recognize(&parts.services, KeyHash::of(&key.value)).await,
                None => Ok(None),
            };
            req.extensions_mut().insert(SessionState(found));
            let mut answer = service.call(req).await?.map_into_boxed_body();
            let change = answer.request().extensions_mut().remove::<Change>();
            match change {
                // Boxed, because it is large and rare.
                Some(change) => Box::pin(parts.apply(change, answer)).await,
                None => {
                    if let Some(key) = cookie.filter(|key| key.is_outdated) {
                        let headers = answer.response_mut().headers_mut();
                        Box::pin(parts.sign_again(&key.value, headers)).await;
                    }
                    Ok(answer)
                }
            }
        })
    }
}

impl Parts {
    /// Only if the session is still live: its key may just have been renewed, and the browser must keep the new one.
    async fn sign_again(&self, key: &str, headers: &mut HeaderMap) {
        if let Ok(Some(visit)) = recognize(&self.services, KeyHash::of(key)).await {
            let cookies = &self.site.cookies;
            cookies.sign_again(headers, key, visit.keep_for());
        }
    }

    /// Logs the browser in or out, or notes a login that is not finished, as the handler asked.
    async fn apply(
        &self,
        change: Change,
        mut answer: ServiceResponse,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let cookies = &self.site.cookies;
        let unfinished = cookies.step(answer.request().headers()).is_some();
        let headers = answer.response_mut().headers_mut();
        match change {
            Change::Step(Some(key)) => cookies.begin_step(headers, &key),
            Change::Step(None) => cookies.end_step(headers),
            Change::Session(change) => {
                let mut answer = self.write(change, answer).await?;
                if unfinished {
                    cookies.end_step(answer.response_mut().headers_mut());
                }
                return Ok(answer);
            }
        }
        Ok(answer)
    }

    /// Has actix-session and actix-identity change the session.
    async fn write(
        &self,
        change: SessionChange,
        answer: ServiceResponse,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let (request, response) = answer.into_parts();
        let change = Rc::new(change);
        let changing = Changing {
            change: change.clone(),
            response: Cell::new(Some(response)),
        };
        let unbuilt = |()| ErrorInternalServerError("a middleware cannot be built");
        let identified = IdentityMiddleware::default().new_transform(changing).await;
        let written = self
            .writer
            .new_transform(identified.map_err(unbuilt)?)
            .await;
        let writer = written.map_err(unbuilt)?;
        let request = ServiceRequest::from_parts(request, Payload::None);
        let mut answer = writer.call(request).await?;
        self.site
            .cookies
            .complete(answer.response_mut().headers_mut(), &change);
        Ok(answer)
    }
}

/// A service for actix-session and actix-identity to wrap: changes the session and returns the existing response.
struct Changing {
    change: Rc<SessionChange>,
    response: Cell<Option<HttpResponse>>,
}

impl Service<ServiceRequest> for Changing {
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = Ready<Result<Self::Response, Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, req: ServiceRequest) -> Self::Future {
        let session = req.get_session();
        match &*self.change {
            SessionChange::LogIn { user_id, issued } => {
                let kept = session.insert(NEW_KEY, issued.key.cookie_value());
                let logged_in = Identity::login(&req.extensions(), user_id.to_string());
                if let Err(error) = kept
                    .map_err(Error::from)
                    .and(logged_in.map_err(Error::from).map(drop))
                {
                    return ready(Err(error));
                }
            }
            SessionChange::LogOut => session.purge(),
        }
        let response = self.response.take();
        let gone = || ErrorInternalServerError("answered twice");
        ready(
            response
                .ok_or_else(gone)
                .map(|response| req.into_response(response)),
        )
    }
}
